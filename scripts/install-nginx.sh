#!/bin/sh
# Installs what the tests of several servers need: Debian's nginx. Starts and enables no service: the tests start private ones, on loopback ports.
#
# Does nothing when it is there.
set -eu

wanted=
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || wanted=nginx-light
found=nginx
instead="put nginx into PATH"
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
echo "installing (with what they depend on): $wanted"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root apt-get install -y -qq --no-install-recommends "$wanted" >/dev/null
dpkg-query -W -f 'installed: ${Package} ${Version}\n' "$wanted"
