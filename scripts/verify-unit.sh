#!/bin/sh
# Checks our units as they lie in a folder that stands for the root: scripts/verify-unit.sh ROOT
#
# Fails on anything that systemd has to say of them; the units that they need from others are empty ones here.
set -eu
units=$1/lib/systemd/system
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/usr/bin" "$scratch/bin" "$scratch/lib/systemd/system"
cp "$units"/clockwright*.service "$scratch/lib/systemd/system/"
cp "$1/usr/bin/clockwright" "$scratch/usr/bin/"
# What reloads a unit.
printf '#!/bin/sh\n' >"$scratch/bin/kill"
chmod 0755 "$scratch/bin/kill"
for other in sysinit.target basic.target shutdown.target network-online.target multi-user.target system.slice; do
    printf '[Unit]\nDescription=%s\n' "$other" >"$scratch/lib/systemd/system/$other"
done
for unit in "$units"/clockwright*.service; do
    said=$(systemd-analyze verify --man=no --root="$scratch" "$(basename "$unit")" 2>&1) || true
    [ -z "$said" ] || { echo "$said" >&2; exit 1; }
done
