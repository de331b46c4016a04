-- ARGV     ms that it lasts
begin()
last_for(ARGV[1])
return 1
