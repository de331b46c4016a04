-- The clock of the scripts: milliseconds since 1970.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
