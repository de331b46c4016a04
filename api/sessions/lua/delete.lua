-- ARGV     ms for which a turn that is under way is kept out
-- returns  whether there was one
local was_there = exists()
local generation = number('g')
-- A full Redis lets a script write that has removed something before, be it nothing.
redis.call('UNLINK', meta, list)
-- Never one that there was before.
redis.call('HSET', meta, 'g', string.format('%.0f', math.max(generation + 1, now_ms)))
redis.call('PEXPIRE', meta, ARGV[1])
return was_there and 1 or 0
