-- ARGV     what makes no sense: '' or the system prompt, entries...
if ARGV[1] ~= '' and redis.call('HGET', meta, 's') == ARGV[1] then redis.call('HDEL', meta, 's', 'z') end
for place = 2, #ARGV do redis.call('LREM', list, 1, ARGV[place]) end
if not exists() then return 0 end
local turns, bytes = 0, 0
for place, entry in ipairs(redis.call('LRANGE', list, 0, -1)) do
  if place == 1 or not continues(entry) then turns = turns + 1 end
  bytes = bytes + size_of(entry)
end
redis.call('HSET', meta, 'n', turns, 'b', bytes)
return turns
