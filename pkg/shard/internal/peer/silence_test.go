package peer

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// network is between a replica and its peer, and may drop what is sent, as when a machine loses its power.
type network struct {
	net.Listener
	peer   string
	silent atomic.Bool
}

func startNetwork(t *testing.T, peer string) *network {
	t.Helper()
	n := &network{Listener: listen(t), peer: peer}
	go func() {
		for {
			near, err := n.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", n.peer)
			if err != nil {
				_ = near.Close()
				return
			}
			context.AfterFunc(t.Context(), func() { _, _ = near.Close(), far.Close() })
			go n.carry(near, far)
			go n.carry(far, near)
		}
	}()
	return n
}

func (n *network) carry(from, to net.Conn) {
	_, _ = io.Copy(swallower{n, to}, from) // ends with either side
	if !n.silent.Load() {
		_, _ = from.Close(), to.Close()
	}
}

type swallower struct {
	network *network
	to      net.Conn
}

func (s swallower) Write(b []byte) (int, error) {
	if s.network.silent.Load() {
		return len(b), nil
	}
	return s.to.Write(b)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func credentialsOf(t *testing.T, files TLS) peerCredentials {
	t.Helper()
	creds, err := files.credentials(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

// linkTo is a link to a peer.
func linkTo(t *testing.T, address string, creds peerCredentials) *link {
	t.Helper()
	cfg := Config{Generation: 1, Handler: &handler{}, Log: slog.New(slog.DiscardHandler)}
	l := startLink(cfg, address, creds)
	t.Cleanup(l.stop)
	return l
}

// startPeer serves a replica that refuses every command, because it is of another generation than its callers.
func startPeer(t *testing.T, creds peerCredentials) (address string) {
	t.Helper()
	s := grpc.NewServer(creds.serverOptions()...)
	peerv1.RegisterPeerServiceServer(s, &server{generation: 2, handler: &handler{}})
	l := listen(t)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// ask sends a command, and returns the answer or the error as text.
func (l *link) ask(t *testing.T) string {
	t.Helper()
	c := newCall()
	l.command(&peerv1.CommandRequest{}, c.answered)
	select {
	case <-c.done:
	case <-time.After(time.Minute):
		t.Fatal("no answer")
	}
	if c.err != nil {
		return c.err.Error()
	}
	return c.detail
}

const (
	peerAnswered = "the layout has changed: retry with the same Idempotency-Key"
	peerGone     = "the owner of the shard cannot be reached"
)

func TestAStreamToAMachineThatFellSilentEnds(t *testing.T) {
	t.Parallel() // it lasts a ping and its timeout
	plain := credentialsOf(t, TLS{})
	net := startNetwork(t, startPeer(t, plain))
	l := linkTo(t, net.Addr().String(), plain)
	if says := l.ask(t); says != peerAnswered {
		t.Fatal(says)
	}
	net.silent.Store(true)
	if says := l.ask(t); !strings.HasPrefix(says, peerGone) {
		t.Fatal(says)
	}
	net.silent.Store(false)
	for {
		if says := l.ask(t); says == peerAnswered {
			break
		}
	}
}
