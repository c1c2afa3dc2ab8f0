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

install_wanted
