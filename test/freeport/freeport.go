// Package freeport gives tests addresses for programs that they start and that must have the same address again after a
// restart.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Systems take the ports of outgoing connections from 32768 on, or later. An address from there may be such a port by
// the time the program listens, which then ends. So addresses are from below.
const (
	lowest  = 15_000
	highest = 32_767
)

// Address is a loopback address with a port that nobody listens on. No other test gets it until this one has ended.
func Address(t testing.TB) string {
	t.Helper()
	for range highest - lowest {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(highest-lowest+1)))
		if reserve(t, address) {
			return address
		}
	}
	t.Fatalf("no port from %d to %d is free", lowest, highest)
	return ""
}

// Port is the port of such an address.
func Port(t testing.TB) string {
	t.Helper()
	_, port, err := net.SplitHostPort(Address(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// reserve keeps an address for the test, unless it is taken. The UDP port of that number says to other tests, also of
// other processes, that the address is reserved; the TCP port stays free for the program.
func reserve(t testing.TB, address string) bool {
	mark, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		_ = mark.Close() // nothing was sent
		return false
	}
	_ = l.Close() // it took no connection
	t.Cleanup(func() { _ = mark.Close() })
	return true
}
