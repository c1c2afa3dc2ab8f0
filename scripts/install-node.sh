#!/bin/sh
# Installs what the console is built with: Node.js 20.19 or later and its npm. Where the system has none or an older one, as Debian 12 has, it is the
# release of scripts/node/requirements.txt, in a virtual environment beside them; the Makefile has scripts/node/bin in PATH.
#
# Does nothing when it is there.
set -eu

new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
command -v npm >/dev/null && node -e "$new_enough" 2>/dev/null && exit 0

here="$(dirname "$0")/node"
instead="put Node.js 20.19 or later, with npm, into PATH"
echo "installing Node.js into $here"
# shellcheck source=scripts/venv.sh
. "$(dirname "$0")/venv.sh"
mkdir -p "$here/bin"
ln -sf ../venv/bin/node ../venv/bin/npm "$here/bin/"
