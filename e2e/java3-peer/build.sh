#!/bin/sh
# Builds the Java peers of the 3.x interop tests: real ElasticJob 3.0.4, as published, with its libraries beside it.
set -eu
cd "$(dirname "$0")"
exec sh ../java-peer/build.sh "$PWD"
