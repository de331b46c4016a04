-- A worker has told this run of Redis all that it knows. The run opens when all workers have, or after a while.
-- KEYS[1]: when it opens, in ms; KEYS[2]: those who have. ARGV: worker, workers, wait_ms, ttl_ms
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local opens_ms = redis.call('GET', KEYS[1])
if not opens_ms then
    redis.call('DEL', KEYS[2])
    opens_ms = string.format('%.0f', now_ms + tonumber(ARGV[3]))
end
redis.call('SADD', KEYS[2], ARGV[1])
if tonumber(opens_ms) > now_ms and redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[2]) then
    opens_ms = string.format('%.0f', now_ms)
end
redis.call('SET', KEYS[1], opens_ms, 'PX', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return math.max(0, tonumber(opens_ms) - now_ms)
