#!/usr/bin/env bash
# Builds programs of cmd/ into a folder. The first build compiles several hundred packages, which takes minutes: it shows
# how many it has compiled, on a terminal in one line, elsewhere one line every fifty packages.
#
#   scripts/build.sh FOLDER TAGS PROGRAM...
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 tags=$2
shift 2
mkdir -p "$folder"
echo "Building $* (a few minutes the first time)"
terminal=0
if [ -t 2 ]; then terminal=1; fi

# With -v, go build prints the path of each package that it compiles. What else it prints is an error, or a download.
go build -v -trimpath -tags "$tags" -o "$folder/" "${@/#/./cmd/}" 2>&1 |
  awk -v terminal="$terminal" '
    /^[[:alnum:]_.~\/-]+$/ {
      packages++
      if (terminal) printf "\r%d packages compiled", packages > "/dev/stderr"
      else if (packages % 50 == 0) print packages " packages compiled"
      fflush(); next
    }
    { print > "/dev/stderr" }
    END { if (terminal && packages) print "" > "/dev/stderr" }'
