-- Which data this run of Redis has. Where it has none it is closed until the workers have told what they know.
-- KEYS[1]: hash of the run: `data` (their name), `opens_ms`; KEYS[2]: the workers that have told. ARGV: name, wait_ms, ttl_ms
if redis.call('EXISTS', KEYS[1]) == 0 then
    local time = redis.call('TIME')
    local opens_ms = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2])
    redis.call('HSET', KEYS[1], 'data', ARGV[1], 'opens_ms', string.format('%.0f', opens_ms))
    redis.call('DEL', KEYS[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('HGET', KEYS[1], 'data')
