#!/bin/sh
# Builds the Java peers of the interop tests: real Elastic-Job 2.1.5, as published, with its libraries beside it; or another
# project of that shape, in the folder that is named. Does nothing when what is built is newer than its sources.
set -eu
cd "${1:-$(dirname "$0")}"

missing=
command -v java >/dev/null || missing="$missing openjdk-17-jdk-headless"
command -v javac >/dev/null || missing="$missing openjdk-17-jdk-headless"
command -v mvn >/dev/null || missing="$missing maven"
if [ -n "$missing" ]; then
    echo "the interop tests need a JDK, 17 or later, and Maven; install the Debian packages:$missing" >&2
    exit 1
fi

built=target/java-peer.jar
if [ -f "$built" ] && [ -d target/lib ] && [ -z "$(find pom.xml src ../java-shared -newer "$built" -type f)" ]; then
    exit 0
fi
mvn --batch-mode --quiet package
touch "$built"
