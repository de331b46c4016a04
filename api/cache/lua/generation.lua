-- returns  the tenant's count of purges
return generation()
