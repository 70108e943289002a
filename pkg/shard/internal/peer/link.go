package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/shard/internal/logonce"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// redialBackoff is the pause after a stream has ended.
const redialBackoff = 200 * time.Millisecond

// link is the stream to one peer. It dials when there is something to send, and again after an error.
type link struct {
	cfg     Config
	address string
	creds   peerCredentials
	stop    context.CancelFunc
	ended   chan struct{} // closed when none of its goroutines runs any more

	out *outbox[peerv1.ExchangeRequest]

	mu sync.Mutex
	// pending has the commands that wait or were sent, and have no final answer.
	pending map[uint64]Answered
	nextID  uint64
	closed  bool
}

func newLink(cfg Config, address string, creds peerCredentials) *link {
	return &link{
		cfg: cfg, address: address, creds: creds, ended: make(chan struct{}),
		out: newOutbox[peerv1.ExchangeRequest](), pending: map[uint64]Answered{},
	}
}

func startLink(cfg Config, address string, creds peerCredentials) *link {
	l := newLink(cfg, address, creds)
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go func() {
		defer close(l.ended)
		l.run(ctx)
	}()
	return l
}

// put sends a message that is resent if it is lost, when there is room for it.
func (l *link) put(bytes int, add func(*peerv1.ExchangeRequest)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
	case l.out.full():
		l.cfg.Handler.Dropped()
	default:
		l.out.put(bytes, add)
	}
}

// command sends a command. Exactly while it is pending, whoever removes it from there calls answered.
func (l *link) command(req *peerv1.CommandRequest, answered Answered) {
	l.mu.Lock()
	closed, full := l.closed, l.out.full()
	if !closed && !full {
		l.nextID++
		req.RequestId = l.nextID
		l.pending[req.RequestId] = answered
		l.out.put(req.SizeVT(), func(f *peerv1.ExchangeRequest) { f.Commands = append(f.Commands, req) })
	}
	l.mu.Unlock()
	switch {
	case closed:
		answered(nil, ErrStopping)
	case full:
		answered(nil, &FullError{l.address})
	}
}

func (l *link) run(ctx context.Context) {
	var logged logonce.Error
	for ctx.Err() == nil {
		err := l.exchange(ctx)
		l.failPending()
		if ctx.Err() != nil {
			break
		}
		// A peer that is gone is dialled several times a second.
		l.cfg.Log.Log(ctx, logged.Level(err), "the stream to a peer ended", "peer", l.address, "error", err)
		if backoff.Sleep(ctx, redialBackoff) != nil {
			break
		}
		// Dial again when there is something to send.
		select {
		case <-ctx.Done():
		case <-l.out.wake:
			signal(l.out.wake)
		}
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.failPending()
}

// failPending answers every pending command: nobody knows what became of it.
func (l *link) failPending() {
	l.mu.Lock()
	pending := l.pending
	l.pending = map[uint64]Answered{}
	l.out.clear()
	l.mu.Unlock()
	for _, answered := range pending {
		answered(nil, &UnreachableError{l.address})
	}
}

// exchange is one stream, from dialling to its end.
func (l *link) exchange(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := grpc.NewClient(l.address, l.creds.dialOptions()...)
	if err != nil {
		return fmt.Errorf("dial peer %s: %w", l.address, err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := peerv1.NewPeerServiceClient(conn).Exchange(ctx)
	if err != nil {
		return fmt.Errorf("open a stream to peer %s: %w", l.address, err)
	}
	received := make(chan error, 1)
	go func() { received <- l.receive(stream) }()
	for {
		select {
		case err := <-received:
			return err
		case <-ctx.Done():
			// No command is answered after this returns.
			return errors.Join(ctx.Err(), <-received)
		case <-l.out.wake:
		}
		for frame := l.frame(); frame != nil; frame = l.frame() {
			if err := stream.Send(frame); err != nil {
				return errors.Join(err, <-received)
			}
		}
	}
}

// frame packs what waits; nil: nothing does.
func (l *link) frame() *peerv1.ExchangeRequest {
	f := &peerv1.ExchangeRequest{Generation: l.cfg.Generation}
	if !l.out.pack(f) {
		return nil
	}
	return f
}

func (l *link) receive(stream peerv1.PeerService_ExchangeClient) error {
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, c := range f.Commands {
			l.answer(c)
		}
		for _, a := range f.Reservations {
			l.cfg.Handler.StepAnswer(a)
		}
		for _, a := range f.OrderQueries {
			l.cfg.Handler.QueryAnswer(a)
		}
	}
}

func (l *link) answer(c *peerv1.CommandResponse) {
	l.mu.Lock()
	answered, ok := l.pending[c.RequestId]
	if c.Final {
		delete(l.pending, c.RequestId)
	}
	l.mu.Unlock()
	if ok {
		answered(c, nil)
	}
}
