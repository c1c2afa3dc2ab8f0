#!/bin/sh
# What Clockwright stands beside and on: the registry's laws on ZooKeeper servers of other releases than Debian's, then one job
# on Java Elastic-Job 2.1.5, or ElasticJob 3.0.4, and Clockwright together, in every interop scenario. Fetches the servers and
# builds the Java peers. Needs a JDK (17 or later) and Maven, and says so when one is missing; installs ZooKeeper and MariaDB.
# CLOCKWRIGHT_INTEROP_FIRES: fires of each phase of a scenario, 5 unless told. CLOCKWRIGHT_INTEROP_THREADS: scenarios at
# once, 4 unless told; each has its own ZooKeeper and two to four JVMs. Arguments: names, or parts of them, of laws and scenarios.
set -eu
cd "$(dirname "$0")/.."

sh scripts/install-zookeeper.sh
sh scripts/install-databases.sh
sh e2e/zookeeper-servers/build.sh
sh e2e/java-peer/build.sh
sh e2e/java3-peer/build.sh
: "${CARGO:=cargo}"
# As `make test` does, with the features of the whole workspace and its tests, so that nothing is compiled twice.
$CARGO build --quiet --workspace --bins --examples
$CARGO test --workspace --test releases -- --ignored "$@"

# What Java does when it is late on a busy machine is not judged: a scenario that fails is told, and run once more by itself.
log=$(mktemp)
trap 'rm -f "$log" "$log.status"' EXIT
scenarios() {
    status=0
    $CARGO test --workspace --no-fail-fast --test 'interop*' -- --ignored "$@" || status=$?
    echo "$status" >"$log.status"
}
scenarios --test-threads "${CLOCKWRIGHT_INTEROP_THREADS:-4}" "$@" 2>&1 | tee "$log"
[ "$(cat "$log.status")" != 0 ] || exit 0
failed=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log")
[ -n "$failed" ] || exit 1
echo "once more, one at a time:" $failed
# shellcheck disable=SC2086  # the list is meant to be split into words
scenarios --test-threads 1 --exact $failed
exit "$(cat "$log.status")"
