#!/usr/bin/env bash
# Builds an image of each program: static, on scratch, with its licences and its bill of materials (/sbom, CycloneDX).
# It compiles with this machine's Go and pulls nothing, so that it needs no network once Go's caches have what it needs.
#
#   scripts/images.sh ARCHITECTURE...    amd64, arm64
#
# An image is PREFIX/order-api:VERSION-amd64 (PREFIX is holdfast unless it is set; VERSION, COMMIT: scripts/build.sh). The
# one for the architecture of Docker's engine is PREFIX/order-api:VERSION too. TAGS are for go build. What images are made
# from stays in .local/images/ARCHITECTURE/PROGRAM.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }

prefix=${PREFIX:-holdfast}
export VERSION=${VERSION:-$(scripts/version.sh version)} COMMIT=${COMMIT:-$(scripts/version.sh commit)}
services="order-api inventory-projector analytics-projector query-api"
# The command line without the embedded broker and ClickHouse, which would not be static.
command=holdfast
# What is larger takes too long to pull where a node has been lost.
most_bytes=30000000 most_command_bytes=60000000
folder=$PWD/.local/images

engine=$(docker version --format '{{.Server.Arch}}' 2>/dev/null) || {
  echo "images need a Docker engine, and there is none at ${DOCKER_HOST:-/var/run/docker.sock}" >&2
  exit 1
}

compile() { # architecture, tags, program...
  local arch=$1 tags=$2
  shift 2
  GOOS=linux GOARCH=$arch STRIP=1 scripts/build.sh "$folder/$arch/bin" "$tags" "$@"
}

image() { # architecture, program
  local arch=$1 program=$2 context=$folder/$1/$2 name=$prefix/$2:$VERSION
  rm -rf "$context"
  mkdir -p "$context/data"
  cp LICENSE NOTICE THIRD_PARTY_LICENSES "$folder/$arch/bin/$program" "$context"
  .local/bin/cyclonedx-gomod bin -json -std -noserial -notimestamp -version "$VERSION" \
    -output "$context/$program.cdx.json" "$context/$program"
  # Builders without BuildKit warn about themselves on standard error, and take cached layers of another architecture.
  docker build --quiet --no-cache --platform "linux/$arch" --target prebuilt --file Dockerfile --build-arg "SERVICE=$program" \
    --label "org.opencontainers.image.version=$VERSION" --label "org.opencontainers.image.revision=$COMMIT" \
    --tag "$name-$arch" "$context" >/dev/null 2>"$context.log" || { cat "$context.log" >&2; exit 1; }
  if [ "$arch" = "$engine" ]; then docker tag "$name-$arch" "$name"; fi
  local bytes most=$most_bytes
  if [ "$program" = $command ]; then most=$most_command_bytes; fi
  bytes=$(docker image inspect --format '{{.Size}}' "$name-$arch")
  printf '%-44s %4d.%d MB\n' "$name-$arch" $((bytes / 1000000)) $((bytes / 100000 % 10))
  if [ "$bytes" -gt "$most" ]; then echo "it may have $most bytes, and has $bytes" >&2; exit 1; fi
}

scripts/tools.sh sbom
for arch in "$@"; do
  # shellcheck disable=SC2086 # a list of words
  compile "$arch" "${TAGS:-}" $services
  compile "$arch" "${TAGS:-},noembedded" $command
  for program in $services $command; do image "$arch" "$program"; done
done
