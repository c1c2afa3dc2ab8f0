#!/bin/sh
# What Clockwright stands beside and on: the registry's laws on ZooKeeper servers of other releases than Debian's, then one job
# on Java Elastic-Job 2.1.5, or ElasticJob 3.0.4, and Clockwright together, in every interop scenario. Fetches the servers and
# builds the Java peers. Needs a JDK (17 or later) and Maven, and says so when one is missing; installs ZooKeeper and MariaDB.
# CLOCKWRIGHT_INTEROP_FIRES: fires of each phase of a scenario, 5 unless told. CLOCKWRIGHT_INTEROP_THREADS: scenarios at
# once, 4 unless told; each has its own ZooKeeper and two to four JVMs. Arguments: names, or parts of them, of laws and scenarios;
# or --quick, for one scenario of each kind and the oldest release.
set -eu
cd "$(dirname "$0")/.."

releases=
if [ "${1-}" = --quick ]; then
    releases=3.4.14
    # 2.1.5, 3.x, changes, code, events, a server.
    set -- one_java_and_one_clockwright_instance_share_the_items_under_a_java_leader \
        two_of_each_kind_share_the_items_of_a_3x_job_when_started_java_clockwright_clockwright_java \
        the_item_count_goes_from_4_to_10_to_3_under_a_clockwright_leader \
        listeners_of_both_kinds_are_called_once_a_fire_under_a_java_leader \
        the_runs_of_both_kinds_are_in_the_same_tables_and_read_back_by_plain_sql_and_by_clockwright \
        a_host_that_is_disabled_stays_so_though_java_2x_restarts
    for name in "$@"; do
        grep -q "fn $name()" e2e/tests/interop*.rs || { echo "there is no scenario $name any more: name another" >&2; exit 1; }
    done
    # An old server by itself.
    set -- "$@" zookeeper_3_4::one_server::
fi

sh scripts/install-zookeeper.sh
sh scripts/install-databases.sh
# shellcheck disable=SC2086  # none, or one
sh e2e/zookeeper-servers/build.sh $releases
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
