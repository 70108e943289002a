// Package peer is the transport between replicas of order-api: a gRPC server, and one stream to each replica that this
// one calls. It carries commands to the owners of their shards, steps and queries between shards, and the answers.
//
// It does not know which replica owns a shard, nor what a command or a step means. Any message but a command may be
// lost: its sender resends it from its state. A command is answered in any case, if only with an error.
package peer

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// Limits of what waits for one peer, and of one frame.
const (
	// MaxQueued messages, or MaxQueuedBytes, wait for one peer. Beyond that a command is refused and a step dropped. A
	// stream with as many answers waiting is not read any more.
	MaxQueued      = 65_536
	MaxQueuedBytes = 64 << 20
	// MaxFrameMessages bounds one frame; no message is added to a frame beyond MaxFrameBytes.
	MaxFrameMessages = 1_024
	MaxFrameBytes    = 4 << 20
)

// Handler is what a replica does with the messages of others. Its methods must not block. A reply may be called from
// any goroutine, at any time, or never.
type Handler interface {
	// Command decides a command, or refuses it: it is never handed on to a third replica. answer is called once with
	// final, and perhaps once before without.
	Command(c *peerv1.CommandRequest, answer func(final bool, r *peerv1.CommandResult))
	// Refuse is the answer to a command that was not tried, and that its client may retry.
	Refuse(detail string) *peerv1.CommandResult
	// Step sets reservations for an order of another shard.
	Step(req *peerv1.ReservationRequest, reply func(*peerv1.ReservationResponse))
	// StepAnswer gets the answer to a step of this replica.
	StepAnswer(resp *peerv1.ReservationResponse)
	// Query compares an order with what stock has reserved for it.
	Query(q *peerv1.OrderQuery, reply func(*peerv1.OrderQueryResponse))
	// QueryAnswer gets the answer to a query of this replica.
	QueryAnswer(resp *peerv1.OrderQueryResponse)
	// Dropped is told of each step or query of this replica that found no room.
	Dropped()
	// OrderKeys sends the keys of a shard's orders in parts. Unlike the others it may block.
	OrderKeys(req *peerv1.OrderKeysRequest, send func(*peerv1.OrderKeysResponse) error) error
}

// Config is what Start needs.
type Config struct {
	// Generation of the layout: replicas of another one are refused.
	Generation uint32
	// Listen is where other replicas reach this one; empty: they cannot. Advertise is what they are told; empty: the
	// address that is listened on.
	Listen, Advertise string
	TLS               TLS
	Handler           Handler
	Log               *slog.Logger
}

// ErrStopping refuses commands while the replica stops.
var ErrStopping = errors.New("this replica is stopping")

// FullError refuses a command because too much waits for the peer.
type FullError struct{ Address string }

// Error implements error.
func (e *FullError) Error() string { return "too many commands wait for " + e.Address }

// UnreachableError says that the stream to a peer ended before it answered. The command may have been done.
type UnreachableError struct{ Address string }

// Error implements error.
func (e *UnreachableError) Error() string {
	return "the owner of the shard cannot be reached at " + e.Address
}

// Peers are the other replicas.
type Peers struct {
	cfg     Config
	creds   peerCredentials
	address string
	server  *grpc.Server
	health  *health.Server
	asking  *asking

	mu     sync.Mutex
	links  map[string]*link // by address
	closed bool
}

// New returns peers that can be called. Streams to them are opened when there is something to send.
func New(cfg Config) (*Peers, error) {
	creds, err := cfg.TLS.credentials(cfg.Log)
	if err != nil {
		return nil, err
	}
	return &Peers{
		cfg: cfg, creds: creds, links: map[string]*link{}, asking: newAsking(), health: health.NewServer(),
	}, nil
}

// Start is New and Listen.
func Start(cfg Config) (*Peers, error) {
	p, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return p, p.Listen()
}

// Listen listens for other replicas, if they are to reach this one. It is called once, before anything that asks for
// the address.
func (p *Peers) Listen() error {
	if p.cfg.Listen == "" {
		return nil
	}
	lis, err := net.Listen("tcp", p.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for peers on %s: %w", p.cfg.Listen, err)
	}
	if p.address, err = advertised(p.cfg.Advertise, lis.Addr()); err != nil {
		return errors.Join(err, lis.Close())
	}
	p.server = grpc.NewServer(p.creds.serverOptions()...)
	grpc_health_v1.RegisterHealthServer(p.server, p.health)
	peerv1.RegisterPeerServiceServer(p.server, &server{generation: p.cfg.Generation, handler: p.cfg.Handler})
	go func() { _ = p.server.Serve(lis) }() // ends with Close
	return nil
}

// advertised is what other replicas are told to call: as configured, or the address that is listened on. Port 0
// stands for the port that was chosen.
func advertised(configured string, bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(cmp.Or(configured, bound.String()))
	if err != nil {
		return "", fmt.Errorf("--peer-advertise %q is not host:port: %w", configured, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf(
			"other replicas cannot call %s: set --peer-advertise to the host:port under which they reach this one",
			cmp.Or(configured, bound.String()))
	}
	if port == "0" {
		_, port, err = net.SplitHostPort(bound.String())
	}
	return net.JoinHostPort(host, port), err
}

// Address is where other replicas reach this one; empty: they cannot.
func (p *Peers) Address() string { return p.address }

// Close ends the server and all streams. Commands that wait for an answer fail.
func (p *Peers) Close() {
	if p.server != nil {
		p.server.Stop()
	}
	p.mu.Lock()
	p.closed = true // from here on there are no more links
	p.mu.Unlock()
	_ = p.asking.close() // nobody waits for what it asked
	for _, l := range p.links {
		l.stop()
	}
	for _, l := range p.links {
		<-l.ended
	}
}

// link is the stream to a peer; nil: this replica is stopping.
func (p *Peers) link(address string) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	l := p.links[address]
	if l == nil {
		l = startLink(p.cfg, address, p.creds)
		p.links[address] = l
	}
	return l
}

// Answered gets the answers to a command: perhaps one that is not final, and then a final one or an error. An error is
// ErrStopping, a *FullError or an *UnreachableError.
type Answered func(resp *peerv1.CommandResponse, err error)

// Command sends a command. It never blocks.
func (p *Peers) Command(address string, req *peerv1.CommandRequest, answered Answered) {
	if l := p.link(address); l != nil {
		l.command(req, answered)
		return
	}
	answered(nil, ErrStopping)
}

// Step sends a step, which may be lost.
func (p *Peers) Step(address string, req *peerv1.ReservationRequest) {
	if l := p.link(address); l != nil {
		l.put(req.SizeVT(), func(f *peerv1.ExchangeRequest) { f.Reservations = append(f.Reservations, req) })
	}
}

// Query sends a query, which may be lost.
func (p *Peers) Query(address string, q *peerv1.OrderQuery) {
	if l := p.link(address); l != nil {
		l.put(q.SizeVT(), func(f *peerv1.ExchangeRequest) { f.OrderQueries = append(f.OrderQueries, q) })
	}
}
