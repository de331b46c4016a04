-- ARGV     most to hand out in one call
-- returns  {when there is more to sweep (ms; '' never), id and scope of each entry whose time is over...}

local most = tonumber(ARGV[1])
mend_books()
local reply = {''}

local function hand_out(id, scope)
  if not scope then return end
  reply[#reply + 1] = id
  reply[#reply + 1] = scope
end

for _ = 1, most do
  local word = redis.call('LPOP', gone)
  if not word then break end
  hand_out(string.match(word, '^(%S+) (%S+)$'))
end
local left = most - (#reply - 1) / 2
if left > 0 then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', now_ms, 'LIMIT', 0, left)) do
    hand_out(id, remove(id))
  end
end

local first = redis.call('ZRANGE', expiry, 0, 0, 'WITHSCORES')
if redis.call('LLEN', gone) > 0 then
  reply[1] = '0'
elseif first[1] then
  reply[1] = first[2]
elseif redis.call('HEXISTS', meta, 'g') == 0 and redis.call('HEXISTS', meta, 'v') == 0 then
  redis.call('UNLINK', meta)
end
return reply
