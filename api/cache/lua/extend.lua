-- KEYS[1]  the tenant
-- ARGV     flight key, holder
-- returns  1 when the holder still has the lease, which now lasts its full time again

local key = KEYS[1] .. ':f:' .. ARGV[1]
local lease_ms, holder = string.match(redis.call('GET', key) or '', '^(%d+) (.*)$')
if holder ~= ARGV[2] then return 0 end
return redis.call('PEXPIRE', key, lease_ms)
