-- KEYS[1]  the tenant
-- ARGV     flight key, holder, ms that others are told to go on alone (0: not at all)

local key = KEYS[1] .. ':f:' .. ARGV[1]
local _, holder = string.match(redis.call('GET', key) or '', '^(%d+) (.*)$')
if holder ~= ARGV[2] then return 0 end
if ARGV[3] == '0' then return redis.call('UNLINK', key) end
redis.call('SET', key, 'alone', 'PX', ARGV[3])
return 1
