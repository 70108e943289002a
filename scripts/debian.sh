#!/usr/bin/env bash
# Downloads a program of Debian for tests, with what it needs, into .local, and prints its path. It installs nothing and
# starts nothing. A program that is installed already is taken from there. It needs a Debian or Ubuntu that has the
# package: clickhouse-server is 18.16, for tests against a server that is too old; chromium-headless-shell is a browser;
# prometheus has promtool.
set -euo pipefail
cd "$(dirname "$0")/.."
package=${1:?the name of a package, and of its program where that has another}
name=${2:-$package}

home=$PWD/.local/debian/$package
program=$home/run

if [ ! -x "$program" ]; then
  if ! command -v apt-get >/dev/null; then
    echo "$package is a package of Debian, and there is no apt-get here" >&2
    exit 1
  fi
  apt-cache show "$package" >/dev/null 2>&1 || apt-get update -qq >&2 # the only command that needs root
  rm -rf "$home"
  mkdir -p "$home/packages" "$home/root"
  packages=$(apt-get install --simulate --no-install-recommends "$package" | awk '$1 == "Inst" {print $2}')
  if [ -n "$packages" ]; then # empty: the package is installed on this machine
    echo "fetching Debian's $package" >&2
    # shellcheck disable=SC2086 # a list of words
    (cd "$home/packages" && apt-get download -qq $packages >&2)
    for file in "$home"/packages/*.deb; do dpkg --extract "$file" "$home/root"; done
    rm -r "$home/packages"
  fi
  # Debian starts Chromium by a script that names /usr/lib.
  exec=$name
  [ ! -x "$home/root/usr/lib/chromium/$package" ] || exec=$home/root/usr/lib/chromium/$package
  cat >"$program.new" <<EOF
#!/bin/sh
libraries=$home/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=\$libraries:\$libraries/pulseaudio:$home/root/lib/x86_64-linux-gnu
export PATH=\$PATH:$home/root/usr/sbin:$home/root/usr/bin:/usr/sbin
exec $exec "\$@"
EOF
  chmod +x "$program.new"
  mv "$program.new" "$program"
fi
echo "$program"
