-- KEYS[1]  tenants by the time at which something of theirs is to be swept
-- ARGV     most tenants, ms until they are due again if whoever takes them now does not come back
-- returns  the tenants that are due

redis.call('ZREM', KEYS[1], '') -- a full Redis lets a script write that has removed something, be it nothing
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, ARGV[1])
for _, tenant in ipairs(due) do
  redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now_ms + tonumber(ARGV[2])), tenant)
end
return due
