#!/usr/bin/env bash
# Runs a real Kubernetes of one node on this machine, without Docker and without a registry: the control plane and the
# kubelet are built from their Go modules (ten minutes on two cores, once), etcd and containerd are Debian's. It needs root.
#
#   scripts/kubernetes.sh build        build what is missing into .local/kubernetes
#   scripts/kubernetes.sh up           start it; .local/kubernetes/kubeconfig is for kubectl
#   scripts/kubernetes.sh load FILE    import an archive with images (docker save); pods use them with their names
#   scripts/kubernetes.sh down         stop it, and delete all that was in it
#   scripts/kubernetes.sh status       what runs
#
# Volumes are folders below .local/kubernetes/run/volumes. NetworkPolicies are stored and not enforced: the network is
# that of the CNI plugin ptp.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v1.36.3 modules=v0.36.3 coredns=v1.15.0
home=$PWD/.local/kubernetes
bin=$home/$version
run=$home/run
pki=$home/pki
node=node-1
services=10.96.0.0/16 pods=10.244.0.0/16
volumes=16
debian="etcd-server containerd runc containernetworking-plugins conntrack iptables iproute2 openssl"
export KUBECONFIG=$home/kubeconfig
export PATH=$PATH:$bin:/usr/sbin:/sbin

fail() { echo "scripts/kubernetes.sh: $*" >&2; exit 1; }

build() {
  [ -f "$bin/.complete" ] && return
  echo "building Kubernetes $version (ten minutes on two cores)"
  mkdir -p "$bin" "$home/build"
  local programs="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy" p
  command -v kubectl >/dev/null || programs+=" kubectl"
  (
    cd "$home/build"
    go mod download "k8s.io/kubernetes@$version"
    # The module of Kubernetes replaces its parts by folders of its own repository, which modules have in a registry.
    {
      printf 'module build\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$version"
      sed -n 's|^\t\(k8s.io/[a-z0-9-]*\) => ./staging/.*|\t\1 => \1 '"$modules|p" \
        "$(go env GOMODCACHE)/cache/download/k8s.io/kubernetes/@v/$version.mod" | sort -u
      echo ')'
    } >go.mod
    {
      printf '//go:build programs\n\npackage programs\n\nimport (\n'
      for p in $programs; do printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' "$p"; done
      echo ')'
    } >programs.go
    go mod tidy >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
    # The version tells clients what they may ask for.
    local set="-X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
    set+=" -X k8s.io/component-base/version.gitMinor=36"
    for p in $programs; do
      CGO_ENABLED=0 go build -trimpath -ldflags="-s -w $set" -o "$bin/$p" "k8s.io/kubernetes/cmd/$p"
    done
  )
  GOBIN=$bin CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false" go install -ldflags='-s -w' "github.com/coredns/coredns@$coredns"
  # The container that holds a pod's namespaces: it waits to be told to stop.
  mkdir -p "$home/build/pause"
  cat >"$home/build/pause/main.go" <<'EOF'
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
EOF
  CGO_ENABLED=0 go build -ldflags='-s -w' -o "$bin/pause" "$home/build/pause/main.go"
  touch "$bin/.complete"
}

need() {
  [ "$(id -u)" = 0 ] || fail "a node needs root"
  local program missing=""
  for program in etcd containerd ctr runc conntrack iptables ip openssl; do
    command -v $program >/dev/null || missing+=" $program"
  done
  [ -x /usr/lib/cni/ptp ] || missing+=" /usr/lib/cni/ptp"
  [ -n "$missing" ] || return 0
  # Only a machine for tests is changed without being asked.
  [ "${CI:-}" = true ] && command -v apt-get >/dev/null ||
    fail "missing:$missing. On Debian: apt-get install $debian"
  echo "installing Debian's $debian"
  # shellcheck disable=SC2086 # a list of words
  { apt-get install -qq -y --no-install-recommends $debian ||
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $debian; }; } >"$home/apt.log" 2>&1 ||
    { tail -5 "$home/apt.log" >&2; fail "apt-get failed"; }
}

running() { [ -f "$run/$1.pid" ] && kill -0 "$(cat "$run/$1.pid")" 2>/dev/null; }

start() { # name, command…
  local name=$1
  shift
  running "$name" && return
  (exec setsid "$@") >>"$run/$name.log" 2>&1 </dev/null &
  echo $! >"$run/$name.pid"
}

stop() { # name
  running "$1" || { rm -f "$run/$1.pid"; return 0; }
  local pid deadline=$((SECONDS + 15))
  pid=$(cat "$run/$1.pid")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || kill -9 "$pid" 2>/dev/null || true
    sleep 0.1
  done
  rm -f "$run/$1.pid"
}

await() { # what, seconds, command…
  local what=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "$what is not up; see the logs in $run"
    sleep 0.2
  done
}

# An authority, and the certificates of the API server and of the administrator, whom also every component is.
certificates() {
  [ -f "$pki/admin.crt" ] && return
  mkdir -p "$pki"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$pki/ca.key" -out "$pki/ca.crt" -subj /CN=holdfast-test -days 365
  openssl genrsa -out "$pki/accounts.key" 2048
  certificate apiserver /CN=kube-apiserver
  certificate admin /O=system:masters/CN=admin
}

certificate() { # name, subject
  openssl req -newkey rsa:2048 -nodes -keyout "$pki/$1.key" -out "$pki/$1.csr" -subj "$2"
  openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 365 \
    -out "$pki/$1.crt" -extfile <(echo "subjectAltName=IP:127.0.0.1,IP:10.96.0.1,IP:$address,DNS:localhost,DNS:kubernetes")
}

configure() {
  cat >"$KUBECONFIG" <<EOF
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:6443", certificate-authority: $pki/ca.crt}}]
users: [{name: admin, user: {client-certificate: $pki/admin.crt, client-key: $pki/admin.key}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
EOF
  mkdir -p "$run/cni"
  # Each pod is routed to by the host, so that also connections between pods of one node pass its rules for Services.
  cat >"$run/cni/10-ptp.conflist" <<EOF
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": true, "ipam": {"type": "host-local", "dataDir": "$run/cni-addresses",
    "ranges": [[{"subnet": "${pods%/*}/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF
  cat >"$run/containerd.toml" <<EOF
version = 2
root = "$run/containerd"
state = "$run/containerd-state"
[grpc]
  address = "$run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$run/cni"
EOF
  cat >"$run/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix://$run/containerd.sock
clusterDNS: ["$address"]
clusterDomain: cluster.local
# Images cannot be pulled again: they are never deleted for space.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {nodefs.available: "1%", imagefs.available: "1%", memory.available: "50Mi"}
EOF
  cat >"$run/Corefile" <<EOF
.:53 {
  bind $address
  kubernetes cluster.local {
    kubeconfig $KUBECONFIG
    pods insecure
    ttl 30
  }
  cache 30
}
EOF
}

# Volumes of this node that are there before somebody claims them: Kubernetes makes none by itself.
volumes() {
  cat <<EOF
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
EOF
  local n
  for n in $(seq $volumes); do
    mkdir -p "$run/volumes/$n"
    cat <<EOF
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: local-$n}
spec:
  storageClassName: local
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  local: {path: $run/volumes/$n}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [
    {key: kubernetes.io/hostname, operator: In, values: [$node]}]}]}}
EOF
  done
}

# An image of one layer with one program, as docker save writes it.
pause_image() {
  local work layer config
  work=$(mktemp -d)
  tar -C "$bin" --mtime=@0 --owner=0 --group=0 -cf "$work/layer.tar" pause
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/pause"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(go env GOARCH)" "$layer" >"$work/config"
  config=$(sha256sum "$work/config" | cut -d' ' -f1).json
  mv "$work/config" "$work/$config"
  printf '[{"Config":"%s","RepoTags":["localhost/pause:1"],"Layers":["layer.tar"]}]' "$config" >"$work/manifest.json"
  tar -C "$work" -cf "$run/pause.tar" manifest.json "$config" layer.tar
  rm -r "$work"
  load "$run/pause.tar"
}

load() { ctr -a "$run/containerd.sock" -n k8s.io images import "$1" >/dev/null; }

node_ready() { kubectl get node $node | grep -q ' Ready'; }

up() {
  need
  [ -f "$bin/.complete" ] || build
  mkdir -p "$run"
  address=$(hostname -I | cut -d' ' -f1)
  certificates 2>"$run/openssl.log" || { cat "$run/openssl.log" >&2; exit 1; }
  configure
  echo 1 >/proc/sys/net/ipv4/ip_forward
  start etcd etcd --data-dir "$run/etcd" --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
  start containerd containerd -c "$run/containerd.toml"
  start apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address="$address" \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --service-account-key-file="$pki/accounts.key" --service-account-signing-key-file="$pki/accounts.key" \
    --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=$services \
    --authorization-mode=Node,RBAC --allow-privileged=true \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
    --kubelet-preferred-address-types=InternalIP
  await "containerd" 60 ctr -a "$run/containerd.sock" version
  pause_image
  await "the API server" 120 kubectl get --raw /readyz
  start controllers kube-controller-manager --kubeconfig="$KUBECONFIG" --root-ca-file="$pki/ca.crt" \
    --service-account-private-key-file="$pki/accounts.key" --use-service-account-credentials \
    --allocate-node-cidrs --cluster-cidr=$pods --leader-elect=false
  start scheduler kube-scheduler --kubeconfig="$KUBECONFIG" --leader-elect=false
  start kubelet kubelet --config="$run/kubelet.yaml" --kubeconfig="$KUBECONFIG" --hostname-override=$node \
    --root-dir="$run/kubelet"
  start proxy kube-proxy --kubeconfig="$KUBECONFIG" --hostname-override=$node --proxy-mode=iptables --cluster-cidr=$pods
  start coredns coredns -conf "$run/Corefile"
  await "the node" 120 node_ready
  volumes | kubectl apply -f - >/dev/null
  echo "Kubernetes $version is up: export KUBECONFIG=$KUBECONFIG"
}

# The ends of the pods' networks on the host: interfaces with the gateway's address, and a chain for what leaves each pod.
# Another pod would get the same address later.
forget_pods() {
  local subnet=${pods%.*.*} interface rule
  for interface in $(ip -o -4 address show | awk -v gateway="$subnet.0.1/32" '$4 == gateway {print $2}'); do
    ip link delete "$interface" || true
  done
  iptables -t nat -S POSTROUTING | sed -n "s/^-A \(POSTROUTING -s $subnet\.\)/\1/p" | while read -r rule; do
    local chain=${rule##* }
    eval "iptables -t nat -D $rule"
    iptables -t nat -F "$chain"
    iptables -t nat -X "$chain"
  done
}

down() {
  [ -d "$run" ] || return 0
  # First who starts containers, then these, then who runs them.
  for name in kubelet controllers scheduler; do stop $name; done
  if running containerd; then
    local containers="ctr -a $run/containerd.sock -n k8s.io" id
    for id in $($containers tasks ls -q); do $containers tasks kill -s KILL "$id" >/dev/null 2>&1 || true; done
    for id in $($containers containers ls -q); do
      $containers tasks delete -f "$id" >/dev/null 2>&1 || true
      $containers containers delete "$id" >/dev/null 2>&1 || true
    done
  fi
  for name in containerd proxy coredns apiserver etcd; do stop $name; done
  kube-proxy --cleanup >/dev/null 2>&1 || true
  forget_pods
  # What the kubelet and containerd have mounted, innermost first.
  awk -v prefix="$run/" 'index($2, prefix) == 1 {print $2}' /proc/mounts | sort -r | while read -r mount; do
    umount "$mount" || umount -l "$mount"
  done
  awk -v prefix="$run/" 'index($2, prefix) == 1 {left = 1} END {exit left}' /proc/mounts ||
    fail "something below $run is still mounted; it is not deleted"
  rm -rf "$run" "$KUBECONFIG"
}

case "${1:-}" in
build) build ;;
up) up ;;
load) load "${2:?the file}" ;;
down) down ;;
status)
  for name in etcd containerd apiserver controllers scheduler kubelet proxy coredns; do
    if running $name; then echo "$name: runs"; else echo "$name: down"; fi
  done
  ;;
*) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
