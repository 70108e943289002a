#!/usr/bin/env bash
# Builds programs of cmd/ into a folder: static, without cgo. The first build compiles several hundred packages, which
# takes minutes: it shows how many it has compiled, on a terminal in one line, elsewhere one line every fifty packages.
#
#   scripts/build.sh FOLDER TAGS PROGRAM...
#
# VERSION and COMMIT are linked into them; without, they are those of the repository. With STRIP=1 they have no symbols.
# GOOS and GOARCH choose another machine, as for go build.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 tags=$2
shift 2
mkdir -p "$folder"
VERSION=${VERSION:-$(scripts/version.sh version)} COMMIT=${COMMIT:-$(scripts/version.sh commit)}
package=github.com/holdfast/holdfast/pkg/service
flags="-X $package.version=$VERSION -X $package.commit=$COMMIT"
# Functions that begin at multiples of 8 bytes instead of 32 make a program 1.2 % smaller.
# Packages off the way of commands and queries are compiled without inlining, which makes it 2 % smaller.
compile=()
if [ -n "${STRIP:-}" ]; then
  flags+=" -s -w -funcalign=8"
  for packages in crypto/x509 encoding/xml internal/profile math/big net/http/pprof regexp/... runtime/pprof text/... \
    github.com/cockroachdb/{errors,logtags,redact}/... github.com/getsentry/... github.com/gogo/... \
    github.com/kr/... github.com/spf13/... go.opentelemetry.io/... golang.org/x/text/... \
    google.golang.org/protobuf/... github.com/prometheus/common/... github.com/prometheus/procfs/... \
    github.com/cockroachdb/pebble/v2/internal/manifest github.com/cockroachdb/pebble/v2/tool/... \
    golang.org/x/net/... encoding/json fmt log/...; do
    compile+=("-gcflags=$packages=-l")
  done
fi
echo "Building $* (a few minutes the first time)"
terminal=0
if [ -t 2 ]; then terminal=1; fi

# With -v, go build prints the path of each package that it compiles. What else it prints is an error, or a download.
CGO_ENABLED=0 go build -v -trimpath -tags "$tags" ${compile[@]+"${compile[@]}"} -ldflags "$flags" -o "$folder/" "${@/#/./cmd/}" 2>&1 |
  awk -v terminal="$terminal" '
    /^[[:alnum:]_.~\/-]+$/ {
      packages++
      if (terminal) printf "\r%d packages compiled", packages > "/dev/stderr"
      else if (packages % 50 == 0) print packages " packages compiled"
      fflush(); next
    }
    { print > "/dev/stderr" }
    END { if (terminal && packages) print "" > "/dev/stderr" }'
