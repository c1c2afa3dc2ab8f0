#!/bin/sh
# Installs what the console is built with: the packages of console/package-lock.json. No script of theirs is run.
#
# Does nothing when they are those of the lock file.
set -eu

here="$(dirname "$0")/../console"
stamp="$here/node_modules/.lock"
cmp -s "$here/package-lock.json" "$stamp" && exit 0
(cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
cp "$here/package-lock.json" "$stamp"
