#!/usr/bin/env bash
# Refuses changes of the event schema that would break a reader of the log: against the commit before,
# where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
base=$(git rev-parse -q --verify "${BREAKING_AGAINST:-HEAD~1}" || true)
if [ -z "$base" ] || ! git cat-file -e "$base:schemas/buf.yaml" 2>/dev/null; then
  echo "buf breaking: no earlier schema to compare with"
  exit 0
fi
.local/bin/buf breaking schemas --against ".git#ref=$base,subdir=schemas"
