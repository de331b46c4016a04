-- returns  {entries, bytes, evicted, ms since the oldest and since the newest was made ('' without entries)}

mend_books()
local function age_of(first, last)
  local found = redis.call('ZRANGE', created, first, last, 'WITHSCORES')
  return found[1] and string.format('%.0f', math.max(0, now_ms - tonumber(found[2]))) or ''
end
local numbers = redis.call('HMGET', meta, 'b', 'v')
return {
  redis.call('ZCOUNT', expiry, '(' .. string.format('%.0f', now_ms), '+inf'),
  tonumber(numbers[1] or 0), tonumber(numbers[2] or 0), age_of(0, 0), age_of(-1, -1),
}
