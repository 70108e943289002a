#!/usr/bin/env bash
# Builds the services of a former version into .local/former, and prints that folder. The first build takes minutes.
#
#   scripts/former.sh [COMMIT]
#
# Without a commit it is the newest one of 2026-11-26, the first version whose logs must stay readable.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=${1:-$(git log --until='2026-11-27 00:00' -1 --format=%H)}
commit=$(git rev-parse --verify "$commit^{commit}")
folder=$PWD/.local/former/$commit
if [ ! -x "$folder/query-api" ]; then
  source=$(mktemp -d)
  trap 'git worktree remove --force "$source"' EXIT
  git worktree add --quiet --detach "$source" "$commit" >&2
  (cd "$source" && CGO_ENABLED=0 go build -o "$folder/" ./cmd/order-api ./cmd/inventory-projector ./cmd/query-api) >&2
fi
echo "$folder"
