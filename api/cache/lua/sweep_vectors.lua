-- ARGV     most to remove
-- returns  {how many, when the next one's time is over (ms; '' never)}

local over = redis.call('ZRANGEBYSCORE', expiries, '-inf', now_ms, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(over) do remove(id) end
return {#over, redis.call('ZRANGE', expiries, 0, 0, 'WITHSCORES')[2] or ''}
