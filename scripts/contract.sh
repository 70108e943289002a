#!/usr/bin/env bash
# Holds a running server to schemas/openapi.yaml: Schemathesis with all its checks, and generated lines for POST
# /v1/commands (scripts/contract/commands.py). It fails on any finding.
#
#   EXAMPLES   requests for each operation beside those at the limits of each member (default 10; 300 for a night)
#   SEED       of what is generated (default 1)
#   LOG        where the findings stay (default .local/contract/findings.txt)
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.local/contract
examples=${EXAMPLES:-10} seed=${SEED:-1} log=${LOG:-$home/findings.txt}
python=$home/venv/bin/python
scopes=orders:write,orders:read,stock:write,stock:read,insights:read,replays:admin,import:admin,keys:admin,audit:read
export HOLDFAST_CONTRACT_URL HOLDFAST_CONTRACT_KEY HOLDFAST_CONTRACT_SEEDED EXAMPLES=$((examples * 10)) SEED=$seed
export PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_NO_ANALYTICS=1

install() {
  cmp -s scripts/contract/requirements.txt "$home/installed.txt" && return
  rm -rf "$home/venv" && mkdir -p "$home" && python3 -m venv "$home/venv"
  "$home/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r scripts/contract/requirements.txt
  cp scripts/contract/requirements.txt "$home/installed.txt"
}

# The server chooses its ports, and says where the API is.
start() {
  rm -rf "$home/data"
  bin/holdfast dev --access keys --dir "$home/data" --listen 127.0.0.1:0 --admin-listen off --kafka-listen 127.0.0.1:0 --clickhouse-listen 127.0.0.1:0 \
    >"$home/server.txt" 2>&1 &
  server=$!
  trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT
  until grep -q 'is ready' "$home/server.txt"; do
    kill -0 "$server" 2>/dev/null || { cat "$home/server.txt"; exit 1; }
    sleep 0.1
  done
  HOLDFAST_CONTRACT_URL=$(sed -n 's/^  API *//p' "$home/server.txt")
  HOLDFAST_CONTRACT_KEY=$(bin/holdfast keys create --kafka "$(sed -n 's/^  Kafka *//p' "$home/server.txt")" \
    --name contract --scopes "$scopes" 2>/dev/null)
}

install
start
HOLDFAST_CONTRACT_SEEDED=$("$python" scripts/contract/seed.py "$HOLDFAST_CONTRACT_URL")

# Streams are left out, because they have no end; tests of pkg/httpapi/queries hold them to the document.
status=0
"$python" scripts/contract/commands.py >"$log" 2>&1 || status=1
"$home/venv/bin/schemathesis" --config-file scripts/contract/schemathesis.toml run schemas/openapi.yaml \
  --url "$HOLDFAST_CONTRACT_URL" --checks all --exclude-checks positive_data_acceptance \
  --exclude-path /v1/commands --exclude-path-regex '/stream$' --seed "$seed" --max-examples "$examples" >>"$log" 2>&1 || status=1
[ $status = 0 ] || cat "$log"
grep -E '^POST /v1/commands|generated, ' "$log" || true
exit $status
