-- What a worker knows goes into Redis, which may have lost it, and its lease is made anew.
-- ARGV: month, worker, budget, soft, seed (what may be counted from), floor (less
-- cannot have been spent), reported_before, reported (what it has spent of its leases so far), lease_kept, lease_wanted,
-- lease_ttl_ms, then id, amount and ttl_ms of each hold. `cover:ID` stands in for the hold ID where Redis has lost it: its
-- call has ended, and the ledger will know what it did cost before the cover ends
local month, worker, budget, soft = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local seed, floor, before, reported = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local kept, wanted, lease_ttl_ms = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
if not is_told then
    return nothing('forgotten')
end
local begun = begin(month, math.max(seed, floor))
if begun then
    local missing = floor - amount_of('spent:' .. month)
    if missing > 0 then
        add('spent:' .. month, missing)
    end
    local field = 'told:' .. month .. ':' .. worker
    local told = math.max(before, amount_of(field))
    if reported > told then
        add('spent:' .. month, reported - told)
        redis.call('HSET', KEYS[1], field, string.format('%.0f', reported))
    end
end
for index = 12, #ARGV, 3 do
    local covered = string.match(ARGV[index], '^cover:(.+)$')
    if not covered or redis.call('HEXISTS', KEYS[2], covered) == 0 then
        hold(ARGV[index], month, tonumber(ARGV[index + 1]), tonumber(ARGV[index + 2]))
    end
end
local lease = 'lease:' .. month .. ':' .. worker
let_go(lease)
if is_open then
    let_go_of_ended()
    local left = budget - amount_of('spent:' .. month) - amount_of('held:' .. month)
    if begun and wanted > kept and left >= wanted then
        kept = wanted
    end
end
if kept > 0 then
    hold(lease, month, kept, lease_ttl_ms)
end
return standing(begun and 'told' or 'unknown', month, soft, kept)
