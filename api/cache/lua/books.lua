-- What is known of a tenant's entries beside their answers; stands before the scripts that need it.
--
-- now_ms    set by what stands before this
-- KEYS[1]   the tenant: every key of its begins with it, and with it in braces all are in one slot of a cluster
--
-- Keys of an entry, which Redis itself removes at its expiry:
--   :e:ID    the answer              :x:KEY   exact key -> id            :c:KEY   canonical key -> id
-- Books, which outlive the last entry by a while:
--   :expiry    id -> expiry, ms      :priority id -> what keeping it is worth      :created   id -> ms
--   :record    id -> packed {scope, size, worth of a hit, hits, exact key, canonical key or '', tags...}
--   :tag:TAG   ids; one tag is like:LIKENESS       :gone     'ID SCOPE' of what was removed and may have a vector yet
--   :meta      g generation, b bytes, l level of the last eviction, v evicted
-- An entry that is not in the books is none. So books that were lost or overwritten are begun anew, and that is all.

local tenant = KEYS[1]
local expiry, priority, created = tenant .. ':expiry', tenant .. ':priority', tenant .. ':created'
local records, meta, gone = tenant .. ':record', tenant .. ':meta', tenant .. ':gone'
local MOST_GONE = 10000

-- A key of ours that somebody else has written to, or made another type of, is removed and counts as not there.
local function mended(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call('UNLINK', key) end
    return redis.call(command, key, ...)
  end
  return reply
end

local function generation() return tonumber(mended('HGET', meta, 'g') or 0) or 0 end

local function outlive(key, duration_ms)
  if redis.call('PTTL', key) < duration_ms then redis.call('PEXPIRE', key, duration_ms) end
end

local function begin_anew()
  redis.call('UNLINK', expiry, priority, created, records)
  redis.call('HDEL', meta, 'b')
end

-- Afterwards the books agree with each other.
local function mend_books()
  local entries = mended('ZCARD', expiry)
  local bytes = tonumber(mended('HGET', meta, 'b') or 0)
  local agree = mended('ZCARD', priority) == entries and mended('ZCARD', created) == entries
    and mended('HLEN', records) == entries and bytes and (entries == 0) == (bytes == 0)
  mended('LLEN', gone)
  if not agree then begin_anew() end
end

local function record_of(packed)
  local is_one, record = pcall(cmsgpack.unpack, packed)
  return is_one and type(record) == 'table' and #record >= 6 and record or nil
end

local function remove_alias(key, id)
  if mended('GET', key) == id then redis.call('UNLINK', key) end
end

-- Its scope, or nil when it is not in the books.
local function remove(id)
  redis.call('UNLINK', tenant .. ':e:' .. id)
  local packed = redis.call('HGET', records, id)
  if not packed then return nil end
  local record = record_of(packed)
  if not record then
    begin_anew()
    return nil
  end
  remove_alias(tenant .. ':x:' .. record[5], id)
  if record[6] ~= '' then remove_alias(tenant .. ':c:' .. record[6], id) end
  for place = 7, #record do mended('SREM', tenant .. ':tag:' .. record[place], id) end
  redis.call('HDEL', records, id)
  redis.call('ZREM', expiry, id)
  redis.call('ZREM', priority, id)
  redis.call('ZREM', created, id)
  redis.call('HINCRBY', meta, 'b', -record[2])
  return record[1]
end

-- Remove it, and leave word for whoever keeps the vectors.
local function retire(id, keep_ms)
  local scope = remove(id)
  if not scope then return end
  redis.call('RPUSH', gone, id .. ' ' .. scope)
  redis.call('LTRIM', gone, -MOST_GONE, -1)
  outlive(gone, keep_ms)
end

-- The answer of an entry whose time is not over.
local function answer_of(id, keep_ms)
  local until_ms = tonumber(mended('ZSCORE', expiry, id) or nil)
  if not until_ms or until_ms <= now_ms then
    redis.call('UNLINK', tenant .. ':e:' .. id)
    return nil
  end
  local answer = mended('GET', tenant .. ':e:' .. id)
  if answer and answer ~= '' then return answer end
  mend_books()
  retire(id, keep_ms)
  return nil
end

-- Greedy-dual-size-frequency: the level rises to the priority of what was evicted last, so that hits of long ago fade.
-- A Redis that is full still answers, and counts no hits.
local function count_hit(id)
  local packed = mended('HGET', records, id)
  local record = packed and record_of(packed)
  if not record then return end
  record[4] = record[4] + 1
  local counted = redis.pcall('HSET', records, id, cmsgpack.pack(record))
  if type(counted) == 'table' then return end
  local level = tonumber(mended('HGET', meta, 'l') or 0) or 0
  redis.pcall('ZADD', priority, 'XX', string.format('%.17g', level + (record[4] + 1) * record[3] / record[2]), id)
end
