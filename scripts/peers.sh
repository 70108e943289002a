#!/usr/bin/env bash
# Builds Holdfast's peers (bench/peers, a Go module of its own) and what they need, for make bench-peers and test-peers.
#
#   scripts/peers.sh bench [FLAGS]   measures, with Apache Kafka if it can be started (KAFKA=off: without)
#   scripts/peers.sh test            unit tests, and a short round: what each system keeps is checked, its speed is not
#
# PostgreSQL must be installed (apt-get install postgresql). redis-server is fetched from Debian into .local if it
# is not.
set -euo pipefail
cd "$(dirname "$0")/.."
do=${1:?bench or test}
shift

(cd bench/peers && CGO_ENABLED=0 go build -trimpath -o ../../bin/peers .)
redis=$(command -v redis-server || scripts/debian.sh redis-server)
if [ "$do" = test ]; then
  (cd bench/peers && go vet ./... && HOLDFAST_TEST_PEERS=1 HOLDFAST_TEST_REDIS=$redis go test ./...)
fi
args=(--holdfast bin/holdfast --redis "$redis")

# Apache Kafka goes on running if it ran before.
if [ "${KAFKA:-}" != off ]; then
  pid=.local/kafka/1.pid
  if [ ! -f $pid ] || ! kill -0 "$(cat $pid)" 2>/dev/null; then
    if (exec 3<>/dev/tcp/127.0.0.1/19092) 2>/dev/null; then
      echo "another program listens on 127.0.0.1:19092; end it, or leave Kafka out with KAFKA=off" >&2
      exit 1
    fi
    if command -v java >/dev/null && command -v mvn >/dev/null; then
      trap 'scripts/kafka.sh down' EXIT
      BROKERS=1 scripts/kafka.sh up >&2
    fi
  fi
  if [ -f $pid ]; then
    args+=(--kafka 127.0.0.1:19092 --kafka-pid "$(cat $pid)")
  else
    echo "without Holdfast on Kafka: Apache Kafka needs java and mvn" >&2
  fi
fi

case $do in
bench) bin/peers "${args[@]}" "$@" ;;
test) bin/peers "${args[@]}" --check ;;
*) echo "bench or test" >&2; exit 2 ;;
esac
