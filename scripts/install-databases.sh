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

# Debian asks this program before it starts or restarts a service; 101 means no. One that is there already stays.
policy=/usr/sbin/policy-rc.d
made=
undo() { [ -z "$made" ] || $as_root rm -f "$policy"; }
trap undo EXIT
if [ ! -e "$policy" ]; then
    made=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
case "$wanted" in
*postgresql*)
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        $as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    ;;
esac

echo "installing (with what they depend on):$wanted"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split into words
$as_root apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold $wanted >/dev/null
[ -n "$(postgres)" ] && [ -n "$(mariadb)" ] || { echo "installed, but a server is still missing" >&2; exit 1; }
# shellcheck disable=SC2086
dpkg-query -W -f 'installed: ${Package} ${Version}\n' $wanted
