#!/bin/bash
# Five databases, a role for each service, and one role that owns the tables and migrates. No role can enter another's database, none owns
# its own, and none can do anything in `postgres`. What a service's role may do with the tables, the migrations say.
set -euo pipefail

ask() {
    psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres "$@"
}

ask --set password="${OWNER_DATABASE_PASSWORD:?}" <<'SQL'
CREATE ROLE reconecta_owner LOGIN PASSWORD :'password';
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
SQL

for service in billing collections ticketing noc notifier; do
    variable="${service^^}_DATABASE_PASSWORD"
    ask --set service="$service" --set password="${!variable:?}" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER reconecta_owner;
REVOKE CONNECT, TEMPORARY ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"service";
SQL
done
