#!/usr/bin/env bash
# Runs Apache Kafka on this machine without Docker: KRaft nodes from the jars of scripts/kafka/pom.xml.
#
#   scripts/kafka.sh up          start BROKERS nodes (default 1) on 127.0.0.1:19092, 19093, …
#   scripts/kafka.sh down        stop them; CLEAN=1 also deletes their data
#   scripts/kafka.sh kill N      kill -9 node N (from 1)
#   scripts/kafka.sh start N     start node N again
#   scripts/kafka.sh status      which nodes run
#   scripts/kafka.sh fetch       fetch the jars into .local/kafka/lib, and start nothing
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.local/kafka
brokers=${BROKERS:-1}
if [ -z "${BROKERS:-}" ] && [ -f "$home/brokers" ]; then brokers=$(cat "$home/brokers"); fi
cluster_id=aG9sZGZhc3QtZGV2LTAwMQ

client_port() { echo $((19091 + $1)); }
controller_port() { echo $((19191 + $1)); }
running() { [ -f "$home/$1.pid" ] && kill -0 "$(cat "$home/$1.pid")" 2>/dev/null; }

fetch() {
  [ -f "$home/lib/.complete" ] && return
  echo "fetching Apache Kafka (46 jars, 43 MB)"
  mvn -q -B -f scripts/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$home/lib" -DincludeScope=runtime
  touch "$home/lib/.complete"
}

configure() { # node
  local n=$1 replicas=$((brokers < 3 ? brokers : 3)) voters="" i
  for i in $(seq "$brokers"); do voters+="${voters:+,}$i@127.0.0.1:$(controller_port "$i")"; done
  mkdir -p "$home/$n"
  cat >"$home/$n/server.properties" <<EOF
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$(client_port "$n"),CONTROLLER://127.0.0.1:$(controller_port "$n")
advertised.listeners=PLAINTEXT://127.0.0.1:$(client_port "$n")
controller.listener.names=CONTROLLER
log.dirs=$home/$n/data
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$((replicas > 1 ? 2 : 1))
min.insync.replicas=$((replicas > 1 ? 2 : 1))
default.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
auto.create.topics.enable=false
unclean.leader.election.enable=false
group.initial.rebalance.delay.ms=0
add.partitions.to.txn.retry.backoff.ms=1
broker.session.timeout.ms=4000
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=1000
EOF
  if [ ! -f "$home/$n/data/meta.properties" ]; then
    java -cp "$home/lib/*" kafka.tools.StorageTool format -t "$cluster_id" -c "$home/$n/server.properties" >/dev/null
  fi
}

start() { # node
  running "$1" && return
  configure "$1"
  (
    exec setsid java -Xmx768m -XX:+UseG1GC -cp "$home/lib/*" \
      -Dlog4j2.configurationFile="$PWD/scripts/kafka/log4j2.xml" kafka.Kafka "$home/$1/server.properties"
  ) >>"$home/$1/broker.log" 2>&1 </dev/null &
  echo $! >"$home/$1.pid"
}

await() { # node; waits until its port accepts connections
  local deadline=$((SECONDS + 60))
  until (exec 3<>"/dev/tcp/127.0.0.1/$(client_port "$1")") 2>/dev/null; do
    running "$1" || { echo "node $1 ended; its log:" >&2; tail -20 "$home/$1/broker.log" >&2; exit 1; }
    [ $SECONDS -lt $deadline ] || { echo "node $1 is not up after 60 s; see $home/$1/broker.log" >&2; exit 1; }
    sleep 0.1
  done
}

stop() { # node, signal
  running "$1" || { rm -f "$home/$1.pid"; return 0; }
  local pid
  pid=$(cat "$home/$1.pid")
  kill "-$2" "$pid"
  local deadline=$((SECONDS + 20))
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || kill -9 "$pid" 2>/dev/null || true
    sleep 0.1
  done
  rm -f "$home/$1.pid"
}

nodes() { for f in "$home"/*.pid; do [ -f "$f" ] && basename "$f" .pid; done; }

case "${1:-}" in
up)
  mkdir -p "$home"
  fetch
  if [ -f "$home/brokers" ] && [ "$(cat "$home/brokers")" != "$brokers" ]; then
    echo "the data is of a cluster with $(cat "$home/brokers") nodes; run: CLEAN=1 scripts/kafka.sh down" >&2
    exit 1
  fi
  echo "$brokers" >"$home/brokers"
  for n in $(seq "$brokers"); do start "$n"; done
  for n in $(seq "$brokers"); do await "$n"; done
  addresses=""
  for n in $(seq "$brokers"); do addresses+="${addresses:+,}127.0.0.1:$(client_port "$n")"; done
  echo "Apache Kafka listens on $addresses"
  ;;
down)
  for n in $(nodes); do stop "$n" TERM; done
  if [ -n "${CLEAN:-}" ]; then rm -rf "$home"/[0-9]* "$home/brokers"; fi
  ;;
fetch) mkdir -p "$home"; fetch ;;
kill) stop "${2:?which node}" KILL ;;
start) start "${2:?which node}"; await "$2" ;;
status)
  for n in $(seq "$brokers"); do
    if running "$n"; then echo "node $n: 127.0.0.1:$(client_port "$n")"; else echo "node $n: down"; fi
  done
  ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
