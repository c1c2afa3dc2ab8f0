#!/bin/sh
# Installs what the console is built with: the packages of console/package-lock.json. No script of theirs is run.
#
# Does nothing when they are those of the lock file.
set -eu

here="$(dirname "$0")/../console"
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
    echo "Node.js 20.19 or later is missing, with npm: https://nodejs.org" >&2
    exit 1
fi
stamp="$here/node_modules/.lock"
cmp -s "$here/package-lock.json" "$stamp" && exit 0
(cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
cp "$here/package-lock.json" "$stamp"
