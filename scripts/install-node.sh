#!/bin/sh
# Installs what the console is built with: Node.js 20.19 or later and its npm. Where the system has none or an older one, as Debian 12 has, it is the
# release of scripts/node/requirements.txt, in a virtual environment beside them, which the Makefile puts into PATH.
#
# Does nothing when it is there.
set -eu

new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
command -v npm >/dev/null && node -e "$new_enough" 2>/dev/null && exit 0

here="$(dirname "$0")/node"
wanted=
python3 -c 'import ensurepip, venv' 2>/dev/null || wanted="python3 python3-venv"
if [ -n "$wanted" ]; then
    instead="put Node.js 20.19 or later, with npm, into PATH"
    # shellcheck source=scripts/apt.sh
    . "$(dirname "$0")/apt.sh"
    install_wanted
fi
echo "installing Node.js into $here"
python3 -m venv --clear "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
mkdir -p "$here/bin"
ln -sf ../venv/bin/node ../venv/bin/npm "$here/bin/"
