-- ARGV     id, expiry in ms, vector (float32, little-endian)
-- returns  how many vectors the scope has

local id, expiry = ARGV[1], ARGV[2]
if tonumber(expiry) > now_ms then
  remove(id)
  -- Not quantised: eight bits move cosines by up to 0.002, and a threshold would then decide otherwise than Postgres.
  redis.call('VADD', vectors, 'FP32', ARGV[3], id .. '@' .. expiry, 'NOQUANT')
  redis.call('ZADD', expiries, expiry, id)
  outlive(vectors, tonumber(expiry) - now_ms)
  outlive(expiries, tonumber(expiry) - now_ms)
end
return redis.call('ZCARD', expiries)
