-- What a session is made of; stands before the scripts that need it.
--
-- KEYS[1]   a hash: c when it was begun, ms (without it there is no session); g its generation; s the system prompt, and
--           z its size; n how many turns there are; b their size
-- KEYS[2]   a list, the oldest first: what one call has brought. T begins a turn, C goes on with the one before. Then four
--           bytes of its size, and what only the gateway reads.
-- Sizes are those before compression, for that is what a gateway has to hold.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local meta, list = KEYS[1], KEYS[2]

-- A key of ours that somebody else has made another type of counts as not there.
for key, kind in pairs({[meta] = 'hash', [list] = 'list'}) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then redis.call('UNLINK', key) end
end

local function number(field) return tonumber(redis.call('HGET', meta, field) or 0) or 0 end

local function exists() return redis.call('HEXISTS', meta, 'c') == 1 end

local function continues(entry) return string.sub(entry, 1, 1) == 'C' end

local function size_of(entry)
  local a, b, c, d = string.byte(entry, 2, 5)
  return d and ((a * 256 + b) * 256 + c) * 256 + d or #entry
end

-- Begin one where there is none: what is left of another one goes.
local function begin()
  if exists() then return end
  redis.call('UNLINK', list)
  redis.call('HDEL', meta, 's', 'z', 'n', 'b')
  redis.call('HSET', meta, 'c', string.format('%.0f', now_ms))
end

local function last_for(ttl_ms)
  redis.call('PEXPIRE', meta, ttl_ms)
  redis.call('PEXPIRE', list, ttl_ms)
end
