-- How a month stands. ARGV: month
let_go_of_ended()
local begun = redis.call('HEXISTS', KEYS[1], 'spent:' .. ARGV[1]) == 1
return standing(begun and 'read' or 'unknown', ARGV[1], 0)
