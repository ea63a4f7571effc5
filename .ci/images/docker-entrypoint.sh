#!/usr/bin/env bash
# Entry point of the local test images: the environment variables and the two-phase first start of the public
# PostgreSQL images, so that what works with these works with those. First start: initdb, a temporary server that
# listens on its socket alone, init scripts, then the real server.
set -Eeuo pipefail

is_server() { [ "${1:-}" = postgres ] && [[ " $* " != *" --help "* && " $* " != *" --version "* ]]; }

# NAME, or the content of the file that NAME_FILE names.
from_file() {
    local name=$1 file="${1}_FILE"
    if [ -n "${!file:-}" ]; then
        [ -z "${!name:-}" ] || { echo "error: both $name and $file are set" >&2; exit 1; }
        export "$name=$(<"${!file}")"
        unset "$file"
    fi
}

own_folders() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 00700 "$PGDATA"
    chmod 03775 /var/run/postgresql
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
}

check_environment() {
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
        echo '       Set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust to allow all connections.' >&2
        exit 1
    fi
}

initialise() {
    # POSTGRES_INITDB_ARGS is a piece of shell: it may hold quoted values.
    eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\${POSTGRES_PASSWORD:-}\") \
        -D \"\$PGDATA\" ${POSTGRES_INITDB_ARGS:-}"
    local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -D "$PGDATA" -C password_encryption "${@:2}")}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

sql() { PGPASSWORD=${POSTGRES_PASSWORD:-} PGHOST='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
    --username "$POSTGRES_USER" "$@"; }

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) sql --dbname "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
        esac
    done
}

first_start() {
    check_environment
    initialise "$@"
    pg_ctl -D "$PGDATA" -w start -o "$(printf '%q ' "${@:2}" -c listen_addresses='')"
    if [ "$POSTGRES_DB" != postgres ]; then
        sql --dbname postgres -c "CREATE DATABASE \"${POSTGRES_DB//\"/\"\"}\""
    fi
    run_init_files
    pg_ctl -D "$PGDATA" -m fast -w stop
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

main() {
    if is_server "$@"; then
        from_file POSTGRES_PASSWORD
        from_file POSTGRES_USER
        from_file POSTGRES_DB
        export POSTGRES_USER=${POSTGRES_USER:-postgres}
        export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
        if [ "$(id -u)" = 0 ]; then
            own_folders
            exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
        fi
        [ -s "$PGDATA/PG_VERSION" ] || first_start "$@"
    fi
    unset POSTGRES_PASSWORD
    exec "$@"
}

[[ "${1:-}" != -* ]] || set -- postgres "$@"
main "$@"
