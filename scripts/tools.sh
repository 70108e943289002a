#!/usr/bin/env bash
# Builds the tools for linting, code generation, manifests or bills of materials into .local/bin. Each version of a tool is
# built once.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.local/bin
mkdir -p "$bin"

tool() { # import path, version
  local name stamp
  name=$(basename "${1%/v[0-9]*}")
  stamp=$bin/.$name-$2
  [ -f "$stamp" ] && return
  echo "building $name $2"
  rm -f "$bin/.$name-"*
  GOBIN=$bin GOFLAGS=-buildvcs=false go install "$1@$2"
  touch "$stamp"
}

case "${1:?lint, generate, manifests or sbom}" in
lint)
  tool github.com/bufbuild/buf/cmd/buf v1.75.0
  tool github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0
  ;;
generate)
  tool github.com/bufbuild/buf/cmd/buf v1.75.0
  tool google.golang.org/protobuf/cmd/protoc-gen-go v1.36.12
  tool google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2
  tool github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto v0.6.0
  tool github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen v2.8.2
  ;;
manifests) tool sigs.k8s.io/kustomize/kustomize/v5 v5.8.3 ;;
sbom) tool github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod v1.10.0 ;;
*) echo "usage: scripts/tools.sh lint|generate|manifests|sbom" >&2; exit 2 ;;
esac
