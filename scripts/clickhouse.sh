#!/usr/bin/env bash
# Fetches Debian's ClickHouse, 18.16, into .local and prints its program, to test against a server that is too old. Nothing
# is installed and nothing is started. It needs a Debian or Ubuntu that has the package.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.local/clickhouse-old
program=$home/run

if [ ! -x "$program" ]; then
  command -v apt-get >/dev/null || { echo "the old ClickHouse is Debian's package clickhouse-server, and there is no apt-get here" >&2; exit 1; }
  apt-cache show clickhouse-server >/dev/null 2>&1 || apt-get update -qq >&2 # which alone needs rights
  rm -rf "$home"
  mkdir -p "$home/packages" "$home/root"
  packages=$(apt-get install --simulate --no-install-recommends clickhouse-server | awk '$1 == "Inst" {print $2}')
  if [ -n "$packages" ]; then # otherwise it is installed
    echo "fetching Debian's clickhouse-server" >&2
    # shellcheck disable=SC2086 # a list of words
    (cd "$home/packages" && apt-get download -qq $packages >&2)
    for package in "$home"/packages/*.deb; do dpkg --extract "$package" "$home/root"; done
    rm -r "$home/packages"
  fi
  cat >"$program.new" <<EOF
#!/bin/sh
export LD_LIBRARY_PATH=$home/root/usr/lib/x86_64-linux-gnu:$home/root/lib/x86_64-linux-gnu
export PATH=\$PATH:$home/root/usr/sbin:$home/root/usr/bin:/usr/sbin
exec clickhouse-server "\$@"
EOF
  chmod +x "$program.new"
  mv "$program.new" "$program"
fi
echo "$program"
