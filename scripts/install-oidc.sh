#!/bin/sh
# Installs what the tests of signing in at an identity provider need: Node.js, and the OpenID Connect issuer `oidc-provider` in the versions of
# scripts/oidc/package-lock.json.
#
# Does nothing when both are there. Nothing is started: a test starts an issuer of its own, on a loopback port.
set -eu

here="$(dirname "$0")/oidc"
wanted=
command -v node >/dev/null && command -v npm >/dev/null || wanted="nodejs npm"
if [ -n "$wanted" ]; then
    instead="put Node.js 18 or later and npm into PATH"
    # shellcheck source=scripts/apt.sh
    . "$(dirname "$0")/apt.sh"
    install_wanted
fi
[ -d "$here/node_modules/oidc-provider" ] || (cd "$here" && npm ci --no-audit --no-fund --loglevel=error)
