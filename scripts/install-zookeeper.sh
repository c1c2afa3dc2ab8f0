#!/bin/sh
# Installs what the tests on real ZooKeeper servers need: Debian's ZooKeeper jars and a Java runtime.
#
# Does nothing when both are there. Never starts a service: Debian's package `zookeeper` has none (that is `zookeeperd`),
# and the tests start private servers of their own, in temporary directories, on loopback ports.
set -eu

jar=/usr/share/java/zookeeper.jar
wanted=
[ -e "$jar" ] && command -v setpriv >/dev/null && missing_zookeeper= || missing_zookeeper=yes
[ -z "$missing_zookeeper" ] || wanted="zookeeper util-linux"
command -v java >/dev/null || wanted="$wanted default-jre-headless"

found="$jar and $(command -v java)"
instead="put ZooKeeper's jars anywhere and name them in CLOCKWRIGHT_ZOOKEEPER_CLASSPATH"
# shellcheck source=scripts/apt.sh
. "$(dirname "$0")/apt.sh"

install_wanted
[ -e "$jar" ] || { echo "installed, but $jar is still missing" >&2; exit 1; }
