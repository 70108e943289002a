#!/usr/bin/env bash
# Fails when a change of the schemas would break a reader. All schemas are compared with the commit before. Events are
# kept for ever, so their schemas are compared with every commit of the history that changed them.
set -euo pipefail
cd "$(dirname "$0")/../schemas"

if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  echo "buf breaking: a shallow clone lacks the schemas to compare with; run: git fetch --unshallow" >&2
  exit 1
fi

against() { # commit, more arguments
  ../.local/bin/buf breaking --against "../.git#ref=$1,subdir=schemas" "${@:2}" ||
    { echo "buf breaking: the schemas break readers of what commit $1 wrote" >&2; exit 1; }
}

base=$(git rev-parse -q --verify "${BREAKING_AGAINST:-HEAD~1}" || true)
if [ -n "$base" ] && git cat-file -e "$base:schemas/buf.yaml" 2>/dev/null; then against "$base"; fi
for commit in $(git log --format=%H -- holdfast/event); do
  against "$commit" --path holdfast/event
done
