#!/usr/bin/env bash
# Prints the Secret with which replicas of order-api prove to each other who they are: an authority of this platform alone,
# and one certificate for all replicas. It is good for a year. In production cert-manager makes it, and renews it.
#
#   peer-certs.sh NAMESPACE | kubectl apply -f -
set -euo pipefail
namespace=${1:?the namespace of the platform}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

ec() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }
ec >ca.key
ec >tls.key
openssl req -x509 -new -key ca.key -out ca.crt -days 365 -subj "/CN=order-api peers of $namespace" \
  -addext basicConstraints=critical,CA:true,pathlen:0 -addext keyUsage=critical,keyCertSign
cat >extensions <<EOF
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:order-api-peers
EOF
openssl req -new -key tls.key -subj /CN=order-api |
  openssl x509 -req -CA ca.crt -CAkey ca.key -days 365 -extfile extensions -out tls.crt 2>openssl.log || {
  cat openssl.log >&2
  exit 1
}
cat <<EOF
apiVersion: v1
kind: Namespace
metadata:
  name: $namespace
---
apiVersion: v1
kind: Secret
metadata:
  name: order-api-peers
  namespace: $namespace
  labels:
    app.kubernetes.io/part-of: holdfast
type: kubernetes.io/tls
data:
EOF
for file in ca.crt tls.crt tls.key; do echo "  $file: $(base64 -w0 $file)"; done
