#!/bin/sh
# Checks clockwright.service as it lies in a folder that stands for the root: scripts/verify-unit.sh ROOT
#
# Fails on anything that systemd has to say of it; the units that it needs from others are empty ones here.
set -eu
units=$1/lib/systemd/system
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/usr/bin" "$scratch/lib/systemd/system"
cp "$units/clockwright.service" "$scratch/lib/systemd/system/"
cp "$1/usr/bin/clockwright" "$scratch/usr/bin/"
for other in sysinit.target basic.target shutdown.target network-online.target multi-user.target system.slice; do
    printf '[Unit]\nDescription=%s\n' "$other" >"$scratch/lib/systemd/system/$other"
done
said=$(systemd-analyze verify --man=no --root="$scratch" clockwright.service 2>&1) || true
[ -z "$said" ] || { echo "$said" >&2; exit 1; }
