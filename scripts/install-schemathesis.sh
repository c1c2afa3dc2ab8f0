#!/bin/sh
# Installs what asks a server by its own document: `schemathesis` in the versions of scripts/schemathesis/requirements.txt, in a virtual
# environment beside them, with Debian's Python where there is none.
#
# Does nothing when all is there.
set -eu

here="$(dirname "$0")/schemathesis"
instead="put Python 3.10 or later, with venv, into PATH"
# shellcheck source=scripts/venv.sh
. "$(dirname "$0")/venv.sh"
