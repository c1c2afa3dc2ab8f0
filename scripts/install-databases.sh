#!/bin/sh
# Installs what the tests on real databases need: Debian's PostgreSQL and MariaDB servers, and `setpriv`.
#
# Does nothing when all are there. Starts and enables no service: the tests start private servers of their own, as an
# unprivileged user, in temporary directories, on loopback ports. Of MariaDB only the package without a service is
# installed; PostgreSQL's has one, so starting services and making a cluster are switched off while it is installed.
set -eu

postgres() { ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | head -n 1; }
mariadb() { ls /usr/sbin/mariadbd 2>/dev/null || true; }

wanted=
[ -n "$(postgres)" ] || wanted="$wanted postgresql"
[ -n "$(mariadb)" ] || wanted="$wanted mariadb-server-core"
command -v setpriv >/dev/null || wanted="$wanted util-linux"

found="$(postgres) and $(mariadb)"
instead="install the servers by hand and name the folders of their programs in CLOCKWRIGHT_POSTGRES_BIN and CLOCKWRIGHT_MARIADB_BIN"
# shellcheck source=scripts/apt.sh
. "$(dirname "$0")/apt.sh"

case "$wanted" in
*postgresql*)
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        $as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    ;;
esac

install_wanted -o Dpkg::Options::=--force-confold
[ -n "$(postgres)" ] && [ -n "$(mariadb)" ] || { echo "installed, but a server is still missing" >&2; exit 1; }
