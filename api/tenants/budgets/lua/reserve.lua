-- Sets AMOUNT aside for a call, if that much is left.
-- ARGV: month, id, amount, budget, soft, ttl_ms, known
local month, id, amount, budget = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local soft, ttl_ms, known = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if not is_told then
    return nothing('forgotten')
end
if not is_open then
    return nothing('closed')
end
let_go_of_ended()
if not begin(month, known) then
    return nothing('unknown')
end
local missing = amount_of('spent:' .. month) + amount_of('held:' .. month) + amount - budget
if missing > 0 then
    if missing <= amount_of('leased:' .. month) then
        redis.call('HSET', KEYS[1], 'short:' .. month, string.format('%.0f', now_ms))
    end
    return standing('refused', month, soft)
end
hold(id, month, amount, ttl_ms)
return standing('granted', month, soft)
