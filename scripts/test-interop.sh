#!/bin/sh
# What Clockwright stands beside and on: the registry's laws on ZooKeeper servers of other releases than Debian's, then one job
# on Java Elastic-Job 2.1.5, or ElasticJob 3.0.4, and Clockwright together, in every interop scenario. Fetches the servers and builds the Java peers.
# Needs a JDK (17 or later), Maven, ZooKeeper's server and MariaDB's; says so when one is missing.
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
# With the features of the whole workspace, as `make test`, so that nothing is compiled twice.
$CARGO build --quiet --workspace --bins
$CARGO test --workspace --test releases -- --ignored "$@"
$CARGO test --workspace --no-fail-fast --test 'interop*' -- \
    --ignored --test-threads "${CLOCKWRIGHT_INTEROP_THREADS:-4}" "$@"
