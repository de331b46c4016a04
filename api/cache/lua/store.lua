-- ARGV     generation, id, answer, bytes that are counted for it, scope, worth, exact key, canonical key or '',
--          created ms, expiry ms,
--          most entries, most bytes, most to evict in one call, ms that books outlive entries,
--          1 when Redis has no room for more than there is, tags...
-- returns  {outcome, whether something is gone, id and scope of each entry that was evicted...}
--          outcome: stored, purged, expired, too_large, no_room, or full: there is more to evict, call again

local id, answer, size, scope = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local exact, canonical = ARGV[7], ARGV[8]
local created_ms, expiry_ms = tonumber(ARGV[9]), tonumber(ARGV[10])
local most_entries, most_bytes, most_evicted = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local keep_ms = tonumber(ARGV[14])
local is_tight = ARGV[15] == '1'
local FIRST_TAG = 16

if generation() ~= tonumber(ARGV[1]) then return {'purged', 0} end
if expiry_ms <= now_ms then return {'expired', 0} end
if size > most_bytes then return {'too_large', 0} end
mend_books()

local reply = {'stored', 0}
for _, former in ipairs({id, mended('GET', tenant .. ':x:' .. exact) or id}) do
  if redis.call('ZSCORE', expiry, former) then
    retire(former, keep_ms)
    reply[2] = 1
  end
end

-- Then it takes the place of others of this tenant, or none.
if is_tight then
  most_entries = math.min(most_entries, redis.call('ZCARD', expiry))
  most_bytes = math.min(most_bytes, tonumber(redis.call('HGET', meta, 'b') or 0))
  if size > most_bytes then
    reply[1] = 'no_room'
    return reply
  end
end

local function is_full()
  local bytes = tonumber(redis.call('HGET', meta, 'b') or 0)
  return redis.call('ZCARD', expiry) >= most_entries or bytes + size > most_bytes
end

local removed = 0
while is_full() do
  if removed == most_evicted then
    reply[1] = 'full'
    return reply
  end
  removed = removed + 1
  local over = redis.call('ZRANGEBYSCORE', expiry, '-inf', now_ms, 'LIMIT', 0, 1)[1]
  if over then
    retire(over, keep_ms)
    reply[2] = 1
  else
    local least = redis.call('ZRANGE', priority, 0, 0, 'WITHSCORES')
    local least_scope = remove(least[1])
    if not least_scope then begin_anew() end
    redis.call('HSET', meta, 'l', least[2])
    redis.call('HINCRBY', meta, 'v', 1)
    reply[#reply + 1] = least[1]
    reply[#reply + 1] = least_scope or ''
  end
end

local record = {scope, size, tonumber(ARGV[6]), 0, exact, canonical}
local outlives_ms = expiry_ms - now_ms + keep_ms
for place = FIRST_TAG, #ARGV do
  record[#record + 1] = ARGV[place]
  local tag = tenant .. ':tag:' .. ARGV[place]
  mended('SADD', tag, id)
  outlive(tag, outlives_ms)
end
local level = tonumber(redis.call('HGET', meta, 'l') or 0)
redis.call('HSET', records, id, cmsgpack.pack(record))
redis.call('ZADD', expiry, expiry_ms, id)
redis.call('ZADD', priority, level + record[3] / record[2], id)
redis.call('ZADD', created, created_ms, id)
redis.call('HINCRBY', meta, 'b', size)
for _, key in ipairs({records, expiry, priority, created, meta}) do outlive(key, outlives_ms) end
for key, value in pairs({e = answer, x = id, c = id}) do
  local name = key == 'e' and id or key == 'x' and exact or canonical
  if name ~= '' then
    redis.call('SET', tenant .. ':' .. key .. ':' .. name, value, 'PXAT', expiry_ms)
  end
end
return reply
