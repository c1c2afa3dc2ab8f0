#!/bin/sh
# Records the answers of Quartz 2.3.2 (Debian package libquartz2-java, and a JDK) into answers.txt beside this script.
set -eu
cd "$(dirname "$0")"
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
path=/usr/share/java/quartz2.jar:/usr/share/java/slf4j-api.jar:/usr/share/java/slf4j-nop.jar
javac -cp "$path" -d "$classes" Generate.java
java -Duser.timezone=UTC -cp "$path:$classes" Generate > answers.txt
