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
$CARGO test --workspace --no-fail-fast --test 'interop*' -- \
    --ignored --test-threads "${CLOCKWRIGHT_INTEROP_THREADS:-4}" "$@"
