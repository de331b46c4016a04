-- Vectors of one scope; stands before the scripts that change them.
--
-- now_ms    set by what stands before this
-- KEYS[1]   a vector set; its elements are called 'ID@EXPIRY', expiry in ms
-- KEYS[2]   id -> expiry of each of them
-- Both end with the last element's time. When they do not agree, they are begun anew.

local vectors, expiries = KEYS[1], KEYS[2]

local function kind_of(key) return redis.call('TYPE', key).ok end

local agree = kind_of(vectors) == 'vectorset' and kind_of(expiries) == 'zset'
  and redis.call('VCARD', vectors) == redis.call('ZCARD', expiries)
if not agree then redis.call('UNLINK', vectors, expiries) end

local function remove(id)
  local expiry = redis.call('ZSCORE', expiries, id)
  if not expiry then return 0 end
  redis.call('VREM', vectors, id .. '@' .. expiry)
  return redis.call('ZREM', expiries, id)
end

local function outlive(key, duration_ms)
  if redis.call('PTTL', key) < duration_ms then redis.call('PEXPIRE', key, duration_ms) end
end
