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
    found=
    instead="put Python 3.10 or later, with venv, into PATH"
    # shellcheck source=scripts/apt.sh
    . "$(dirname "$0")/apt.sh"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
    # shellcheck disable=SC2086  # the list is meant to be split into words
    $as_root apt-get install -y -qq --no-install-recommends $wanted >/dev/null
fi
cmp -s "$here/requirements.txt" "$here/venv/installed.txt" || {
    python3 -m venv --clear "$here/venv"
    "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$here/venv/installed.txt"
}
