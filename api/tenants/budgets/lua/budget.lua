-- What all scripts of the budgets share. Money is whole nano-dollars below 2^53, which Lua's numbers hold exactly.
--
-- KEYS[1]  hash of a tenant: `spent:MONTH`, `held:MONTH` (the sum of its holds), `leased:MONTH` (what of it is leases),
--          `soft:MONTH` (it has been told that the soft threshold is crossed), `since` (the first month it was counted
--          here), `told:MONTH:WORKER` (what a worker has reported of its own spending), `short:MONTH` (when a call was
--          refused last because of leases, in ms)
-- KEYS[2]  hash: id of a hold -> `AMOUNT MONTH`. A worker's lease is a hold too: `lease:MONTH:WORKER`
-- KEYS[3]  sorted set: id of a hold -> when it ends, in ms
-- KEYS[4]  hash of this run of Redis: `data` (a name for what it holds), `opens_ms` (before that it decides nothing)
-- ARGV[1]  the data that the worker has told what it knows; the other arguments are those of each script
local SHORT_MS = 10000
local MONTHS_KEPT = 4
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local run = redis.call('HMGET', KEYS[4], 'data', 'opens_ms')
local is_told = run[1] == table.remove(ARGV, 1)
local is_open = is_told and now_ms >= tonumber(run[2])

local function amount_of(field)
    return tonumber(redis.call('HGET', KEYS[1], field) or '0')
end

local function add(field, amount)
    redis.call('HSET', KEYS[1], field, string.format('%.0f', math.max(0, amount_of(field) + amount)))
end

local function add_held(id, month, amount)
    add('held:' .. month, amount)
    if string.sub(id, 1, 6) == 'lease:' then
        add('leased:' .. month, amount)
    end
end

local function hold(id, month, amount, ttl_ms)
    if redis.call('HSETNX', KEYS[2], id, string.format('%.0f %s', amount, month)) == 1 then
        redis.call('ZADD', KEYS[3], string.format('%.0f', now_ms + ttl_ms), id)
        add_held(id, month, amount)
    end
end

-- The month that it was held in; nil where it is not held (any more).
local function let_go(id)
    local entry = redis.call('HGET', KEYS[2], id)
    if not entry then
        return nil
    end
    local amount, month = string.match(entry, '^(%d+) (.+)$')
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
    add_held(id, month, -tonumber(amount))
    return month
end

local function let_go_of_ended()
    local ended = redis.call('ZRANGE', KEYS[3], '-inf', string.format('%.0f', now_ms), 'BYSCORE', 'LIMIT', 0, 200)
    for _, id in ipairs(ended) do
        let_go(id)
    end
end

-- Keeps the latest months that there are, and not those next to the latest: it may be of a clock that is wrong.
local function forget_old_months()
    local months, of = {}, {}
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
        of[field] = string.match(field, '^%a+:(%d+-%d+)')
        if of[field] and not months[of[field]] then
            months[of[field]] = true
            table.insert(months, of[field])
        end
    end
    table.sort(months)
    local oldest = months[#months - MONTHS_KEPT + 1]
    for field, month in pairs(of) do
        if oldest and month < oldest then
            redis.call('HDEL', KEYS[1], field)
        end
    end
end

-- Begins to count a month from `known` (negative: nobody knows) unless it has begun. False where it cannot.
local function begin(month, known)
    if redis.call('HEXISTS', KEYS[1], 'spent:' .. month) == 1 then
        return true
    end
    if known < 0 then
        -- Who was counted here in an earlier month cannot have spent anything in this one without it being here.
        local since = redis.call('HGET', KEYS[1], 'since')
        if not since or since >= month then
            return false
        end
        known = 0
    end
    redis.call('HSET', KEYS[1], 'spent:' .. month, string.format('%.0f', known))
    redis.call('HSETNX', KEYS[1], 'since', month)
    forget_old_months()
    return true
end

-- 1 for the one who is to tell that `soft` (0: there is none) is crossed.
local function crossed(month, soft)
    if soft <= 0 then
        return 0
    end
    if amount_of('spent:' .. month) >= soft then
        return redis.call('HSETNX', KEYS[1], 'soft:' .. month, '1')
    end
    redis.call('HDEL', KEYS[1], 'soft:' .. month)
    return 0
end

local function standing(verdict, month, soft, lease)
    local spent, held, leased = amount_of('spent:' .. month), amount_of('held:' .. month), amount_of('leased:' .. month)
    local short_ms = now_ms - amount_of('short:' .. month)
    return {verdict, spent, held, leased, crossed(month, soft), short_ms < SHORT_MS and 1 or 0, lease or 0}
end

local function nothing(verdict)
    return {verdict, 0, 0, 0, 0, 0, 0}
end
