-- Sliding windows of 60 s over one-second buckets, many keys and many operations in one atomic call.
-- The same rules, in Python and with comments on why they are exact, stand in window.py.
--
-- now_ms   this script's clock, milliseconds, set by what stands before it
-- KEYS     the distinct windows of this call; operations name them by their index
-- ARGV     deadline_ms, adjustments, reservations,
--          then per adjustment:  key, second, requests, tokens        (added to that bucket; may be negative)
--          then per reservation: windows, tokens, and per window of it: key, request limit, token limit
-- returns  {now_ms, -1} when the deadline has passed, having done nothing: the senders have given up on it; else
--          {now_ms, then six integers per window of each reservation}:
--          refused by (0 admitted, 1 requests, 2 tokens), requests used, tokens used,
--          ms until the requests and until the tokens are all back, ms until a refused one would be admitted
--          A reservation counts in all its windows or in none: one that has room says 0 also where another refused.
--
-- A window is one hash: h the second up to which it is swept, r and t the totals, a and b the last second that holds a
-- request or a token, and rN, tN the bucket of the second with second % 61 == N.

local SECONDS = 61
local now = math.floor(now_ms / 1000)
if now_ms > tonumber(ARGV[1]) then return {now_ms, -1} end

local function number(text) return tonumber(text or 0) or 0 end

local function bucket_names(first, last)
  local names = {}
  for second = first, last do
    names[#names + 1] = 'r' .. second % SECONDS
    names[#names + 1] = 't' .. second % SECONDS
  end
  return names
end

-- Take what has left the window, or was left in the place of a coming second, out of the totals.
local function sweep(window)
  local first = math.max(window.head + 1, now - SECONDS + 1)
  local names = bucket_names(first, now)
  local values = redis.call('HMGET', window.key, unpack(names))
  local stale = {}
  for i = 1, #names, 2 do
    window.requests = window.requests - number(values[i])
    window.tokens = window.tokens - number(values[i + 1])
    if values[i] or values[i + 1] then
      stale[#stale + 1] = names[i]
      stale[#stale + 1] = names[i + 1]
    end
  end
  if #stale > 0 then redis.call('HDEL', window.key, unpack(stale)) end
  window.head, window.changed = now, true
end

-- A clock set back by more than a window: what was counted stays counted, as if it came now.
local function collapse(window)
  redis.call('DEL', window.key)
  window.head, window.changed = now, true
  window.last_request, window.last_token = now, now
  window.added = {[now] = {window.requests, window.tokens}}
end

local function load(key)
  local saved = redis.call('HMGET', key, 'h', 'r', 't', 'a', 'b')
  local window = {
    key = key, head = number(saved[1]), requests = number(saved[2]), tokens = number(saved[3]),
    last_request = number(saved[4]), last_token = number(saved[5]), added = {}, changed = false,
  }
  if window.requests == 0 and window.tokens == 0 then window.head = now
  elseif window.head < now then sweep(window)
  elseif window.head >= now + SECONDS then collapse(window) end
  return window
end

local function add(window, second, requests, tokens)
  local bucket = window.added[second]
  if not bucket then
    local saved = redis.call('HMGET', window.key, 'r' .. second % SECONDS, 't' .. second % SECONDS)
    bucket = {number(saved[1]), number(saved[2])}
    window.added[second] = bucket
  end
  requests, tokens = math.max(requests, -bucket[1]), math.max(tokens, -bucket[2])
  bucket[1], bucket[2] = bucket[1] + requests, bucket[2] + tokens
  window.requests, window.tokens = window.requests + requests, window.tokens + tokens
  if requests > 0 then window.last_request = math.max(window.last_request, second) end
  if tokens > 0 then window.last_token = math.max(window.last_token, second) end
  window.changed = true
end

local function adjust(window, second, requests, tokens)
  if second <= window.head - SECONDS then return end
  add(window, math.min(second, window.head), requests, tokens)
end

local function reset_ms(window, kind)
  local used = kind == 1 and window.requests or window.tokens
  local last = kind == 1 and window.last_request or window.last_token
  if used <= 0 then return 0 end
  return (last + SECONDS) * 1000 - now_ms
end

-- Milliseconds until `needed` of one kind (1 requests, 2 tokens) have left the window.
local function wait_ms(window, kind, needed)
  if needed <= 0 then return 0 end
  local names = bucket_names(window.head - SECONDS + 1, window.head)
  -- Buckets changed by this call are read from `added`, so what is saved may be read once.
  if not window.saved then window.saved = redis.call('HMGET', window.key, unpack(names)) end
  for i = 0, SECONDS - 1 do
    local second = window.head - SECONDS + 1 + i
    local bucket = window.added[second]
    needed = needed - (bucket and bucket[kind] or number(window.saved[2 * i + kind]))
    if needed <= 0 then return (second + SECONDS) * 1000 - now_ms end
  end
  return reset_ms(window, kind)
end

-- The requests and the tokens that a window lacks for one more request.
local function shortage(window, request_limit, token_limit, tokens)
  return window.requests + 1 - request_limit, tokens > 0 and window.tokens + tokens - token_limit or 0
end

local function tell(window, refused_by, retry_ms, reply)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = refused_by, window.requests, window.tokens
  reply[n + 4], reply[n + 5], reply[n + 6] = reset_ms(window, 1), reset_ms(window, 2), retry_ms
end

local function judge(window, request_limit, token_limit, tokens, reply)
  local short_requests, short_tokens = shortage(window, request_limit, token_limit, tokens)
  if short_requests <= 0 and short_tokens <= 0 then return tell(window, 0, 0, reply) end
  local retry_ms = math.max(wait_ms(window, 1, short_requests), wait_ms(window, 2, short_tokens))
  tell(window, short_requests > 0 and 1 or 2, retry_ms, reply)
end

-- `asked`: {window, request limit, token limit} of each
local function reserve(asked, tokens, reply)
  for _, one in ipairs(asked) do
    local short_requests, short_tokens = shortage(one[1], one[2], one[3], tokens)
    if short_requests > 0 or short_tokens > 0 then
      for _, each in ipairs(asked) do judge(each[1], each[2], each[3], tokens, reply) end
      return
    end
  end
  for _, one in ipairs(asked) do
    add(one[1], one[1].head, 1, tokens)
    tell(one[1], 0, 0, reply)
  end
end

local function save(window)
  local fields = {
    'h', window.head, 'r', window.requests, 't', window.tokens, 'a', window.last_request, 'b', window.last_token,
  }
  for second, bucket in pairs(window.added) do
    local n, place = #fields, second % SECONDS
    fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'r' .. place, bucket[1], 't' .. place, bucket[2]
  end
  redis.call('HSET', window.key, unpack(fields))
  redis.call('EXPIRE', window.key, 2 * SECONDS)
end

local windows = {}
for i, key in ipairs(KEYS) do windows[i] = load(key) end

local arguments = 4
for _ = 1, tonumber(ARGV[2]) do
  adjust(windows[tonumber(ARGV[arguments])], tonumber(ARGV[arguments + 1]),
    tonumber(ARGV[arguments + 2]), tonumber(ARGV[arguments + 3]))
  arguments = arguments + 4
end

local reply = {now_ms}
for _ = 1, tonumber(ARGV[3]) do
  local count, tokens, asked = tonumber(ARGV[arguments]), tonumber(ARGV[arguments + 1]), {}
  arguments = arguments + 2
  for i = 1, count do
    asked[i] = {windows[tonumber(ARGV[arguments])], tonumber(ARGV[arguments + 1]), tonumber(ARGV[arguments + 2])}
    arguments = arguments + 3
  end
  reserve(asked, tokens, reply)
end

for _, window in ipairs(windows) do
  if window.changed then save(window) end
end
return reply
