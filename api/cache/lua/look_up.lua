-- ARGV     exact key, canonical key or '', likeness or '', ms that books outlive entries,
--          and where a lease is wanted: flight key, holder, lease ms
-- returns  {tier (exact, canonical or miss), generation, id, answer, flight state, ids of entries that are alike...}

local keep_ms = tonumber(ARGV[4])
local MOST_ALIKE = 50

local function find(alias)
  local id = mended('GET', alias)
  if not id then return nil end
  local answer = answer_of(id, keep_ms)
  if not answer then
    redis.call('UNLINK', alias)
    return nil
  end
  count_hit(id)
  return id, answer
end

local function flight_state()
  if not ARGV[5] then return 'none' end
  local key = tenant .. ':f:' .. ARGV[5]
  local state = mended('GET', key)
  if state == 'alone' then return 'alone' end
  local mine = ARGV[7] .. ' ' .. ARGV[6]
  if state and state ~= mine then return 'following' end
  local taken = redis.pcall('SET', key, mine, 'PX', ARGV[7])
  return taken.ok and 'leading' or 'alone' -- a Redis that is full gives no leases
end

local tier = 'exact'
local id, answer = find(tenant .. ':x:' .. ARGV[1])
if not id and ARGV[2] ~= '' then
  tier = 'canonical'
  id, answer = find(tenant .. ':c:' .. ARGV[2])
end
if id then return {tier, generation(), id, answer, 'none'} end
local reply = {'miss', generation(), '', '', flight_state()}
if ARGV[3] ~= '' then
  for _, alike in ipairs(mended('SRANDMEMBER', tenant .. ':tag:like:' .. ARGV[3], MOST_ALIKE)) do
    reply[#reply + 1] = alike
  end
end
return reply
