#!/usr/bin/env bash
# Downloads Debian's ClickHouse, 18.16, into .local and prints the path of its program, for tests against a server that
# is too old. It installs nothing and starts nothing. It needs a Debian or Ubuntu that has the package.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.local/clickhouse-old
program=$home/run

if [ ! -x "$program" ]; then
  if ! command -v apt-get >/dev/null; then
    echo "the old ClickHouse is Debian's package clickhouse-server, and there is no apt-get here" >&2
    exit 1
  fi
  apt-cache show clickhouse-server >/dev/null 2>&1 || apt-get update -qq >&2 # the only command that needs root
  rm -rf "$home"
  mkdir -p "$home/packages" "$home/root"
  packages=$(apt-get install --simulate --no-install-recommends clickhouse-server | awk '$1 == "Inst" {print $2}')
  if [ -n "$packages" ]; then # empty: the package is installed on this machine
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
