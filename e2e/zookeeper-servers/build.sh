#!/bin/sh
# Fetches the ZooKeeper servers on which the registry's laws are tested beside Debian's: for each release a folder with its
# jars, target/RELEASE. Does nothing when what is there is newer than its sources. Arguments: releases, all unless told.
set -eu
cd "$(dirname "$0")"

missing=
command -v java >/dev/null || missing="$missing openjdk-17-jre-headless"
command -v mvn >/dev/null || missing="$missing maven"
if [ -n "$missing" ]; then
    echo "ZooKeeper's other releases need a Java runtime, 17 or later, and Maven; install the Debian packages:$missing" >&2
    exit 1
fi

# The last releases of the oldest line that is spoken, of the first line with recursive watches, and of the newest.
for release in ${*:-3.4.14 3.6.4 3.9.5}; do
    if [ -f "target/$release/complete" ] && [ -z "$(find pom.xml build.sh -newer "target/$release/complete")" ]; then
        continue
    fi
    echo "fetching ZooKeeper $release …" >&2
    rm -rf "target/$release"
    mvn --batch-mode --quiet -Dzookeeper.version="$release" package
    touch "target/$release/complete"
done
