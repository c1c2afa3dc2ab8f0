#!/bin/sh
# One job on Java Elastic-Job 2.1.5 and Clockwright together: builds the Java peers, then runs every interop scenario.
# Needs a JDK (17 or later), Maven and ZooKeeper's server; says so when one is missing.
# CLOCKWRIGHT_INTEROP_FIRES: fires of each phase of a scenario, 5 unless told. CLOCKWRIGHT_INTEROP_THREADS: scenarios at
# once, 2 unless told; each has its own ZooKeeper and two to four JVMs. Arguments: names, or parts of them, of scenarios.
set -eu
cd "$(dirname "$0")/.."

sh scripts/install-zookeeper.sh
sh e2e/java-peer/build.sh
: "${CARGO:=cargo}"
# With the features of the whole workspace, as `make test`, so that nothing is compiled twice.
$CARGO build --quiet --workspace --bins
$CARGO test --workspace --no-fail-fast --test 'interop*' -- \
    --ignored --test-threads "${CLOCKWRIGHT_INTEROP_THREADS:-2}" "$@"
