#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (default 10s), one after the other. With names as arguments it runs only those.
set -euo pipefail
cd "$(dirname "$0")/.."

for package in $(grep -rlE '^func Fuzz' --include='*_test.go' cmd pkg test | xargs -n1 dirname | sort -u); do
  for target in $(grep -hoE '^func Fuzz\w+' "$package"/*_test.go | cut -d' ' -f2); do
    if [ $# -gt 0 ] && [[ " $* " != *" $target "* ]]; then continue; fi
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "./$package"
  done
done
