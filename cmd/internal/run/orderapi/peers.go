package orderapi

import (
	"errors"
	"fmt"
	"net"

	"github.com/holdfast/holdfast/pkg/shard"
)

// PeersOff is the peer address of a replica that is the only one.
const PeersOff = "off"

// peerAddresses are where other replicas reach this one, and what they are told to call. What is not configured is
// the address from which this machine reaches the brokers, and a free port: loopback beside a broker on the same
// machine, the pod's address in Kubernetes.
func peerAddresses(seeds []string, listen, advertise string) (string, string, error) {
	if listen == PeersOff {
		if advertise != "" {
			return "", "", fmt.Errorf("--peer-advertise %s and --peer-listen %s contradict each other", advertise, PeersOff)
		}
		return "", "", nil
	}
	if listen == "" {
		port := "0"
		if advertise != "" {
			var err error
			if _, port, err = net.SplitHostPort(advertise); err != nil {
				return "", "", fmt.Errorf("--peer-advertise %q is not host:port: %w", advertise, err)
			}
		}
		host, err := outgoingHost(seeds)
		return net.JoinHostPort(host, port), advertise, err
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return "", "", fmt.Errorf("--peer-listen %q is neither host:port nor %s: %w", listen, PeersOff, err)
	}
	if ip := net.ParseIP(host); advertise == "" && (host == "" || ip != nil && ip.IsUnspecified()) {
		if host, err = outgoingHost(seeds); err != nil {
			return "", "", err
		}
		advertise = net.JoinHostPort(host, "0") // the port that is listened on
	}
	return listen, advertise, nil
}

// checkPeerTLS refuses to listen for other machines without TLS: whoever reached the port could give commands.
func checkPeerTLS(listen string, tls shard.PeerTLS) error {
	if listen == "" || tls != (shard.PeerTLS{}) {
		return nil
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--peer-listen %q is not host:port: %w", listen, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("replicas would reach this one at %s without encryption, and so would anybody else. "+
		"Give all replicas certificates with --peer-cert, --peer-key and --peer-ca; or, if this is the only replica, "+
		"set --peer-listen %s", listen, PeersOff)
}

// outgoingHost is the address of this machine on the way to a broker. Nothing is sent to find it.
func outgoingHost(seeds []string) (string, error) {
	var errs []error
	for _, seed := range seeds {
		conn, err := net.Dial("udp", seed)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		host, _, err := net.SplitHostPort(conn.LocalAddr().String())
		return host, errors.Join(err, conn.Close())
	}
	return "", fmt.Errorf("this machine's address on the way to the brokers cannot be told; set --peer-listen and "+
		"--peer-advertise: %w", errors.Join(errs...))
}
