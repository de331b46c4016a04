-- ARGV     ms that books outlive entries, id of an entry that makes no sense
mend_books()
retire(ARGV[2], tonumber(ARGV[1]))
redis.call('UNLINK', tenant .. ':e:' .. ARGV[2])
return 1
