#!/usr/bin/env bash
# Finds a Docker engine for tests, or starts one.
#
#   eval "$(scripts/docker.sh up)"    uses the engine that docker reaches. Where there is none and CI=true, root starts
#                                     Debian's docker.io, installed if need be, for this repository alone: its data is in
#                                     .local/docker, it changes no firewall, and its containers reach no other network.
#                                     Elsewhere it says so, and sets no DOCKER_HOST and SKIP=1
#   scripts/docker.sh down            ends the engine that it has started; CLEAN=1 also deletes its images
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.local/docker
# The path of a socket may not be long.
run=/run/holdfast-docker-$(printf '%s' "$home" | cksum | cut -d' ' -f1)
socket=$run/docker.sock
startup=60 # seconds

running() { [ -f "$home/pid" ] && kill -0 "$(cat "$home/pid")" 2>/dev/null; }

answers() { DOCKER_HOST=unix://$socket docker version >/dev/null 2>&1; }

install() {
  command -v dockerd >/dev/null && command -v docker >/dev/null && return
  echo "installing Debian's docker.io" >&2
  command -v apt-get >/dev/null || { echo "docker.io is a package of Debian, and there is no apt-get here" >&2; exit 1; }
  apt-cache show docker.io >/dev/null 2>&1 || apt-get update -qq >&2
  # Its service is not started: tests start an engine of their own.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq -y --no-install-recommends docker.io >"$home/apt.log" 2>&1 ||
    { tail -5 "$home/apt.log" >&2; exit 1; }
}

start() {
  mkdir -p "$home" "$run"
  install
  (
    exec setsid dockerd --host "unix://$socket" --data-root "$home/data" --exec-root "$run/exec" --pidfile "$run/pid" \
      --iptables=false --ip-masq=false --ip-forward=false
  ) >"$home/log" 2>&1 </dev/null &
  echo $! >"$home/pid"
  local deadline=$((SECONDS + startup))
  until answers; do
    if ! running || [ $SECONDS -ge $deadline ]; then
      echo "dockerd does not start; its log:" >&2
      tail -20 "$home/log" >&2
      down
      exit 1
    fi
    sleep 0.1
  done
}

down() {
  if running; then
    local pid deadline=$((SECONDS + startup))
    pid=$(cat "$home/pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do
      [ $SECONDS -lt $deadline ] || kill -9 "$pid" 2>/dev/null || true
      sleep 0.1
    done
  fi
  # What dockerd leaves mounted, innermost first.
  awk -v data="$home/" -v run="$run/" 'index($2, data) == 1 || index($2, run) == 1 {print $2}' /proc/mounts | sort -r |
    while read -r mount; do umount "$mount"; done
  rm -rf "$home/pid" "$run"
  if [ -n "${CLEAN:-}" ]; then rm -rf "$home"; fi
}

case "${1:-}" in
up)
  if running && answers; then
    echo "export DOCKER_HOST=unix://$socket"
  elif docker version >/dev/null 2>&1; then
    echo "using the Docker engine that is here" >&2
  elif [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then
    start
    echo "started a Docker engine (dockerd, $socket)" >&2
    echo "export DOCKER_HOST=unix://$socket"
  else
    echo "SKIPPED: it needs a Docker engine, and docker reaches none. As root, CI=true starts one of Debian's docker.io." >&2
    echo "SKIP=1"
  fi
  ;;
down) down ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
