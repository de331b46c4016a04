-- A worker has told all that it knows. The run opens when all workers have, or after a while. 0 where the data are not
-- those that it has told it to.
-- KEYS[1], KEYS[2]: as in begin.lua. ARGV: name of the data, worker, workers
if redis.call('HGET', KEYS[1], 'data') ~= ARGV[1] then
    return 0
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], redis.call('PTTL', KEYS[1]))
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[3]) and tonumber(redis.call('HGET', KEYS[1], 'opens_ms')) > now_ms then
    redis.call('HSET', KEYS[1], 'opens_ms', string.format('%.0f', now_ms))
end
return 1
