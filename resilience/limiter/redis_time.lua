-- The one clock of all gateways. `window.lua` follows in the same script and reads `now_ms`.
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
