-- ARGV     ms that books outlive entries, most to remove in one call, 1 in the first call of a purge, tag (none: all)
-- returns  {whether there may be more, id and scope of each entry that was removed...}

local most, tag = tonumber(ARGV[2]), ARGV[4]
mend_books()
if ARGV[3] == '1' then
  -- A full Redis lets a script write that has removed something before, be it nothing: what makes room must not fail.
  redis.call('UNLINK', tenant .. ':nothing')
  -- Never one that there was before, even if the books were lost since.
  redis.call('HSET', meta, 'g', string.format('%.0f', math.max(generation() + 1, now_ms)))
  outlive(meta, tonumber(ARGV[1]))
end

local ids
if tag then
  ids = mended('SRANDMEMBER', tenant .. ':tag:' .. tag, most)
else
  ids = redis.call('ZRANGE', expiry, 0, most - 1)
end
local reply = {#ids == most and 1 or 0}
for _, id in ipairs(ids) do
  local scope = remove(id)
  if scope then
    reply[#reply + 1] = id
    reply[#reply + 1] = scope
  end
  if tag then redis.call('SREM', tenant .. ':tag:' .. tag, id) end
end
return reply
