#!/bin/sh
# Installs what asks a server by its own document: `schemathesis` in the versions of scripts/schemathesis/requirements.txt, in a virtual
# environment beside them, with Debian's Python where there is none.
#
# Does nothing when all is there.
set -eu

here="$(dirname "$0")/schemathesis"
wanted=
python3 -c 'import ensurepip, venv' 2>/dev/null || wanted="python3 python3-venv"
if [ -n "$wanted" ]; then
    instead="put Python 3.10 or later, with venv, into PATH"
    # shellcheck source=scripts/apt.sh
    . "$(dirname "$0")/apt.sh"
    install_wanted
fi
cmp -s "$here/requirements.txt" "$here/venv/installed.txt" || {
    python3 -m venv --clear "$here/venv"
    "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$here/venv/installed.txt"
}
