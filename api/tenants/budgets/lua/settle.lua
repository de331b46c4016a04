-- What calls did cost takes the place of what was set aside for them. A call that nothing is set aside for (any more)
-- changes nothing, so this may be said twice.
-- ARGV: month, soft, then id and cost of each call
if not is_told then
    return nothing('forgotten')
end
for index = 3, #ARGV, 2 do
    local month = let_go(ARGV[index])
    if month then
        add('spent:' .. month, tonumber(ARGV[index + 1]))
    end
end
return standing('settled', ARGV[1], tonumber(ARGV[2]))
