-- ARGV     generation as it was read, entry, system prompt or '' to keep the one there is, its size,
--          ms that it lasts, most turns, most bytes
-- returns  {outcome, turns that had to make room}      outcome: stored, deleted, too_large
local read, entry, system, system_size = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local most_turns, most_bytes = tonumber(ARGV[6]), tonumber(ARGV[7])

-- One that has only expired meanwhile knows no generation: it begins again with this turn.
local generation = number('g')
if generation ~= 0 and generation ~= read then return {'deleted', 0} end

local is_there = exists()
local length = is_there and redis.call('LLEN', list) or 0
if length == 0 then entry = 'T' .. string.sub(entry, 2) end
if system == '' then system_size = is_there and number('z') or 0 end

-- The turn that it is or becomes a part of has to fit alone.
local whole, place = size_of(entry) + system_size, -1
if continues(entry) then
  while place >= -length do
    local before = redis.call('LINDEX', list, place)
    whole = whole + size_of(before)
    if not continues(before) then break end
    place = place - 1
  end
end
if whole > most_bytes then return {'too_large', 0} end

begin()
local turns = length > 0 and number('n') or 0
local bytes = length > 0 and number('b') or 0
if not continues(entry) then turns = turns + 1 end
bytes = bytes + size_of(entry)
local dropped = 0
while turns > most_turns or bytes + system_size > most_bytes do
  local oldest = redis.call('LPOP', list)
  if not oldest then break end
  repeat
    bytes = bytes - size_of(oldest)
    local next_one = redis.call('LINDEX', list, 0)
    oldest = next_one and continues(next_one) and redis.call('LPOP', list)
  until not oldest
  turns = turns - 1
  dropped = dropped + 1
end
redis.call('RPUSH', list, entry)
redis.call('HSET', meta, 'n', turns, 'b', bytes, 'g', string.format('%.0f', read))
if system ~= '' then redis.call('HSET', meta, 's', system, 'z', system_size) end
last_for(ARGV[5])
return {'stored', dropped}
