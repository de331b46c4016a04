-- KEYS[1]  tenants by the time at which something of theirs is to be swept
-- ARGV     tenant, that time in ms, ms that the list outlives it

redis.call('ZREM', KEYS[1], '') -- a full Redis lets a script write that has removed something, be it nothing
redis.call('ZADD', KEYS[1], 'LT', ARGV[2], ARGV[1])
local left_ms = math.max(0, tonumber(ARGV[2]) - now_ms) + tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < left_ms then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left_ms)) end
return 1
