#!/bin/sh
# Packs the program for others: a stripped archive with what debuggers read beside it, and on Debian a package. scripts/dist.sh TARGET_FOLDER
#
# The program is built into TARGET_FOLDER/dist, and stripped there; what is made of it lies beside it.
set -eu
cd "$(dirname "$0")/.."
out=$1/dist
program=$out/clockwright
most=26214400 # 25 MiB

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
target=$(rustc -vV | sed -n 's/^host: //p')
# A debugger finds the file by the name that the program notes: put it beside the program, or below /usr/lib/debug.
if readelf -S "$program" | grep -q '\.debug_line'; then
    objcopy --only-keep-debug --compress-debug-sections "$program" "$out/clockwright.debug"
    (cd "$out" && objcopy --strip-all --add-gnu-debuglink=clockwright.debug clockwright clockwright.stripped)
    mv "$program.stripped" "$program"
fi
size=$(stat -c %s "$program")
[ "$size" -le "$most" ] || { echo "$program has $size bytes; at most $most were meant" >&2; exit 1; }
! grep -q CLOCKWRIGHT_FAILPOINT "$program" || { echo "$program has the failpoints of the tests in it" >&2; exit 1; }

name=clockwright-$version-$target
stage=$out/$name
rm -rf "$stage"
mkdir -p "$stage"
"$program" reference man "$stage/man"
mkdir -p "$stage/completions"
"$program" completion bash >"$stage/completions/clockwright.bash"
"$program" completion zsh >"$stage/completions/_clockwright"
"$program" completion fish >"$stage/completions/clockwright.fish"
cp "$program" LICENSE README.md CHANGELOG.md "$stage/"
cp packaging/clockwright.service packaging/clockwright-server.service packaging/clockwright.yaml "$stage/"
tar -C "$out" --owner=0 --group=0 --sort=name -czf "$out/$name.tar.gz" "$name"
tar -C "$out" --owner=0 --group=0 -czf "$out/$name.debug.tar.gz" clockwright.debug
echo "$out/$name.debug.tar.gz: $(stat -c %s "$out/$name.debug.tar.gz") bytes"
echo "$out/$name.tar.gz: $(stat -c %s "$out/$name.tar.gz") bytes, program $size bytes"

command -v dpkg-deb >/dev/null || { echo "no Debian package: dpkg-deb is missing"; exit 0; }
root=$out/debian
rm -rf "$root"
install -D -m 0755 "$program" "$root/usr/bin/clockwright"
install -D -m 0644 packaging/clockwright.service "$root/lib/systemd/system/clockwright.service"
install -D -m 0644 packaging/clockwright-server.service "$root/lib/systemd/system/clockwright-server.service"
install -D -m 0600 packaging/clockwright.yaml "$root/etc/clockwright/clockwright.yaml"
install -D -m 0644 packaging/clockwright.sysusers "$root/usr/lib/sysusers.d/clockwright.conf"
install -D -m 0640 packaging/clockwright.default "$root/etc/default/clockwright"
install -D -m 0644 LICENSE "$root/usr/share/doc/clockwright/copyright"
install -D -m 0644 README.md "$root/usr/share/doc/clockwright/README.md"
install -D -m 0644 "$stage/completions/clockwright.bash" "$root/usr/share/bash-completion/completions/clockwright"
install -D -m 0644 "$stage/completions/_clockwright" "$root/usr/share/zsh/vendor-completions/_clockwright"
install -D -m 0644 "$stage/completions/clockwright.fish" "$root/usr/share/fish/vendor_completions.d/clockwright.fish"
for page in "$stage"/man/*.1; do
    install -D -m 0644 "$page" "$root/usr/share/man/man1/$(basename "$page")"
    gzip -9n "$root/usr/share/man/man1/$(basename "$page")"
done
install -D -m 0755 packaging/postinst "$root/DEBIAN/postinst"
install -D -m 0755 packaging/prerm "$root/DEBIAN/prerm"
printf '/etc/default/clockwright\n/etc/clockwright/clockwright.yaml\n' >"$root/DEBIAN/conffiles"
architecture=$(dpkg --print-architecture)
cat >"$root/DEBIAN/control" <<CONTROL
Package: clockwright
Version: $version
Architecture: $architecture
Maintainer: The Clockwright authors <clockwright@localhost>
Section: admin
Priority: optional
Installed-Size: $(du -sk "$root" | cut -f 1)
Depends: libc6 (>= 2.34), ca-certificates
Description: distributed job scheduler
 Jobs are cut into items, which the running instances share among themselves
 through ZooKeeper or a registry in a file. Every fire of every item ends in
 one recorded outcome. It takes part in jobs of Elastic-Job.
CONTROL
package=$out/clockwright_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package: $(stat -c %s "$package") bytes"
if command -v systemd-analyze >/dev/null; then
    scripts/verify-unit.sh "$root"
    echo "the units are in order"
fi
