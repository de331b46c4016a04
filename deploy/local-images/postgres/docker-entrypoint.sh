#!/bin/sh
# The official postgres image's rules, as far as they are used here: an empty PGDATA becomes a database cluster
# owned by POSTGRES_USER with POSTGRES_PASSWORD, holding POSTGRES_DB; then *.sql and *.sh of
# /docker-entrypoint-initdb.d run once.
set -eu

case "${1:-}" in
-*) set -- postgres "$@" ;;
esac
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    chown postgres:postgres "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

initialise() {
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "The database is not initialised and POSTGRES_PASSWORD is empty: set it." >&2
        exit 1
    fi
    password_file=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$password_file"
    initdb --username="$user" --pwfile="$password_file" --auth-local=trust --auth-host=scram-sha-256
    rm -f "$password_file"
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"

    # No TCP until initialised: a health check over TCP must not pass on the temporary server.
    pg_ctl --pgdata="$PGDATA" --wait --options="-c listen_addresses=''" start
    if [ "$database" != postgres ]; then
        psql --no-psqlrc -v ON_ERROR_STOP=1 --username="$user" --dbname=postgres -v name="$database" <<'SQL'
CREATE DATABASE :"name";
SQL
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
        *.sql) psql --no-psqlrc -v ON_ERROR_STOP=1 --username="$user" --dbname="$database" --file="$script" ;;
        *.sh) sh "$script" ;;
        esac
    done
    pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
}

if [ "$1" = postgres ]; then
    chmod 700 "$PGDATA" 2>/dev/null || true
    [ -s "$PGDATA/PG_VERSION" ] || initialise
    shift
    set -- postgres -c listen_addresses='*' "$@"
fi
exec "$@"
