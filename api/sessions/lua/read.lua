-- ARGV     ms that it lasts from now on
-- returns  {generation, whether there is one, system prompt or '', entries...}
if not exists() then return {number('g'), 0, ''} end
last_for(ARGV[1])
local reply = {number('g'), 1, redis.call('HGET', meta, 's') or ''}
for _, entry in ipairs(redis.call('LRANGE', list, 0, -1)) do reply[#reply + 1] = entry end
return reply
