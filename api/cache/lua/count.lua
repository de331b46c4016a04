-- KEYS[1]  a hash of whole numbers
-- ARGV     ms that it is kept, field, number to add, field, number to add, ...
-- returns  the new totals

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', KEYS[1]) end
local totals = {}
for place = 2, #ARGV, 2 do totals[#totals + 1] = redis.call('HINCRBY', KEYS[1], ARGV[place], ARGV[place + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return totals
