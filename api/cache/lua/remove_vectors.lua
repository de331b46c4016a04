-- ARGV     ids
-- returns  how many were there

local removed = 0
for _, id in ipairs(ARGV) do removed = removed + remove(id) end
return removed
