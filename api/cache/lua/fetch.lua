-- ARGV     ms that books outlive entries, ids
-- returns  their answers, '' where there is none any more

local answers = {}
for place = 2, #ARGV do answers[#answers + 1] = answer_of(ARGV[place], tonumber(ARGV[1])) or '' end
return answers
