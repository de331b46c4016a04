-- ARGV     id of an entry that was served
count_hit(ARGV[1])
return 1
