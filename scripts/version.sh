#!/usr/bin/env bash
# Prints what the source of this folder is.
#
#   scripts/version.sh version   the release, v1.2.0, or the last one with the commits since, v1.2.0-12-g0aac260; dev
#                                before the first release, and where there is no repository
#   scripts/version.sh commit    the commit's hash; unknown where there is no repository
#
# "-dirty" is behind a release or a hash when files have changes that are not committed.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
version) git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || echo dev ;;
commit)
  commit=$(git rev-parse HEAD 2>/dev/null) || { echo unknown; exit; }
  if ! git diff --quiet HEAD --; then commit+=-dirty; fi
  echo "$commit"
  ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
