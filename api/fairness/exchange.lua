-- One worker tells what it does, and is told what the others do.
-- KEYS: the workers of one group of engines. ARGV: this worker, its state, for how long a state is true, milliseconds.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d ', now_ms) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], 60000)
local told = {}
local states = redis.call('HGETALL', KEYS[1])
for place = 1, #states, 2 do
  local worker, text = states[place], states[place + 1]
  if worker ~= ARGV[1] then
    local blank = string.find(text, ' ', 1, true)
    local age_ms = now_ms - tonumber(string.sub(text, 1, blank - 1))
    if age_ms > 10 * ARGV[3] then
      redis.call('HDEL', KEYS[1], worker)
    elseif age_ms <= ARGV[3] + 0 then
      told[#told + 1] = worker
      told[#told + 1] = string.sub(text, blank + 1)
    end
  end
end
return told
