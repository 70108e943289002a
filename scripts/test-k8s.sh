#!/usr/bin/env bash
# Runs the tests of deploy/k8s in a Kubernetes cluster.
#
# With KUBECONFIG it is that cluster, which must have no namespace holdfast; HOLDFAST_TEST_KUBERNETES_LOAD is the command
# that loads an archive of images into it, such as "kind load image-archive". The cluster needs a default StorageClass.
# Without, a cluster of one node is built (ten minutes, once), started and deleted again (scripts/kubernetes.sh), which
# needs root: without root the tests are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${KUBECONFIG:-}" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "SKIPPED: there is no KUBECONFIG, and a cluster of one node needs root"
    exit 0
  fi
  scripts/kubernetes.sh down # what an earlier test has left
  trap 'scripts/kubernetes.sh down' EXIT
  scripts/kubernetes.sh up
  export KUBECONFIG=$PWD/.local/kubernetes/kubeconfig
  export PATH=$PATH:$(dirname "$(ls "$PWD"/.local/kubernetes/*/.complete)")
elif [ -z "${HOLDFAST_TEST_KUBERNETES_LOAD:-}" ]; then
  echo "HOLDFAST_TEST_KUBERNETES_LOAD must name the command that loads an archive of images into the cluster of" \
    "$KUBECONFIG, such as: kind load image-archive" >&2
  exit 1
fi
HOLDFAST_TEST_KUBERNETES=1 go test -count=1 -timeout 30m -v "$@" ./test/k8s
