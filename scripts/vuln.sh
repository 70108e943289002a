#!/usr/bin/env bash
# Looks for known vulnerabilities in what the programs call. The database is that of the Go project, as the module
# golang.org/x/vulndb has it, so that only the module proxy is needed. It fails where a newer version of a module mends
# one. What is told and does not fail: vulnerabilities of the Go that is installed here (images are built with the newest
# patch), and those that no version mends: SECURITY.md says why they do no harm.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$PWD/.local/vuln
mkdir -p "$dir"

[ -x "$dir/govulncheck" ] || GOBIN=$dir GOFLAGS=-buildvcs=false go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
sources=$(cd "$dir" && GOFLAGS=-mod=mod go mod download -json golang.org/x/vulndb@latest |
  sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -x "$dir/indexdb" ] || (cd "$sources" && GOFLAGS=-buildvcs=false go build -mod=mod -o "$dir/indexdb" ./cmd/indexdb)
rm -rf "$dir/db"
"$dir/indexdb" -vulns "$sources/data/osv" -out "$dir/db"

status=0
"$dir/govulncheck" -db "file://$dir/db" -tags grpcnotrace ./cmd/... >"$dir/report" || status=$?
if [ "$status" != 0 ] && [ "$status" != 3 ]; then # 3: it has found some
  cat "$dir/report"
  exit "$status"
fi
awk '/^Vulnerability #/ { id = $3 } /Found in: / { found = $3 } /Fixed in: / { print id, found, "mended in", $3 }' "$dir/report"
if awk '/^  Module: /{ module = 1 } /^  Standard library/{ module = 0 } /Fixed in: / && module && $3 != "N/A" { exit 1 }' \
  "$dir/report"; then
  echo "no module has a known vulnerability that a newer version mends"
else
  echo "update the modules above; the whole report is in $dir/report" >&2
  exit 1
fi
