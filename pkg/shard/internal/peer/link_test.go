package peer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// handler counts the messages that it gets, and answers nothing. It refuses commands as package shard does.
type handler struct{ messages, dropped int }

func (h *handler) Command(*peerv1.CommandRequest, func(bool, *peerv1.CommandResult)) { h.messages++ }
func (h *handler) Step(*peerv1.ReservationRequest, func(*peerv1.ReservationResponse)) {
	h.messages++
}
func (h *handler) Query(*peerv1.OrderQuery, func(*peerv1.OrderQueryResponse)) { h.messages++ }
func (h *handler) StepAnswer(*peerv1.ReservationResponse)                     { h.messages++ }
func (h *handler) QueryAnswer(*peerv1.OrderQueryResponse)                     { h.messages++ }
func (h *handler) Dropped()                                                   { h.dropped++ }
func (h *handler) OrderKeys(req *peerv1.OrderKeysRequest, send func(*peerv1.OrderKeysResponse) error) error {
	if req.Shard > 0 {
		return errors.New("it is not served here")
	}
	return errors.Join(send(&peerv1.OrderKeysResponse{Position: 1}), send(&peerv1.OrderKeysResponse{Position: 2}))
}
func (h *handler) Refuse(detail string) *peerv1.CommandResult {
	return &peerv1.CommandResult{Code: "unavailable", Detail: detail}
}

// call is a command that was sent, and what came of it.
type call struct {
	done   chan struct{} // closed by the first final answer or error
	detail string
	err    error
}

func newCall() *call { return &call{done: make(chan struct{})} }

func (c *call) answered(resp *peerv1.CommandResponse, err error) {
	if c.err = err; err == nil {
		c.detail = resp.Outcome.GetDetail()
	}
	close(c.done) // a second answer would panic
}

func (c *call) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// idleLink is a link whose stream nothing drives.
func idleLink() *link {
	return newLink(Config{Generation: 1, Handler: &handler{}}, "peer", peerCredentials{})
}

func TestACommandBeyondAFullLinkIsAnsweredAtOnceAndNowhereElse(t *testing.T) {
	l := idleLink()
	for range MaxQueued {
		l.put(0, func(*peerv1.ExchangeRequest) {})
	}
	c := newCall()
	l.command(&peerv1.CommandRequest{}, c.answered)
	var full *FullError
	if !c.isDone() || !errors.As(c.err, &full) || full.Address != "peer" || len(l.pending) != 0 {
		t.Fatalf("%v, %d pending", c.err, len(l.pending))
	}
	l.failPending() // and there is room again
	c = newCall()
	l.command(&peerv1.CommandRequest{}, c.answered)
	if c.isDone() || len(l.pending) != 1 {
		t.Fatalf("%v, %d pending", c.err, len(l.pending))
	}
	l.failPending()
	var unreachable *UnreachableError
	if !c.isDone() || !errors.As(c.err, &unreachable) || l.frame() != nil {
		t.Fatal(c.err)
	}
}

func TestALinkThatHasEndedAnswers(t *testing.T) {
	l := idleLink()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.run(ctx)
	c := newCall()
	l.command(&peerv1.CommandRequest{}, c.answered)
	if !c.isDone() || !errors.Is(c.err, ErrStopping) {
		t.Fatal(c.err)
	}
}

func TestMessagesThatFindNoRoomAreDroppedAndCounted(t *testing.T) {
	h := &handler{}
	l := newLink(Config{Handler: h}, "peer", peerCredentials{})
	p := &Peers{links: map[string]*link{"peer": l}}
	for range MaxQueued {
		p.Query("peer", &peerv1.OrderQuery{})
	}
	if h.dropped != 0 {
		t.Fatalf("%d dropped while there was room", h.dropped)
	}
	p.Step("peer", &peerv1.ReservationRequest{})
	p.Query("peer", &peerv1.OrderQuery{})
	if h.dropped != 2 {
		t.Errorf("%d were dropped, want 2", h.dropped)
	}
}

// Every message of a frame reaches the handler, unless it is of another generation.
func TestAFrameIsHandedOn(t *testing.T) {
	h := &handler{}
	s := &server{generation: 1, handler: h}
	out := newReplies(1)
	frame := &peerv1.ExchangeRequest{
		Generation:   1,
		Commands:     []*peerv1.CommandRequest{{RequestId: 7}},
		Reservations: []*peerv1.ReservationRequest{{}, {}},
		OrderQueries: []*peerv1.OrderQuery{{}},
	}
	s.handle(frame, out)
	if h.messages != 4 || out.pack(&peerv1.ExchangeResponse{}) {
		t.Fatalf("%d messages", h.messages)
	}
	frame.Generation = 2
	s.handle(frame, out)
	var f peerv1.ExchangeResponse
	if !out.pack(&f) || h.messages != 4 || len(f.Commands) != 1 || len(f.Reservations)+len(f.OrderQueries) != 0 {
		t.Fatalf("%d messages, answers %v", h.messages, &f)
	}
	if c := f.Commands[0]; c.RequestId != 7 || !c.Final || c.Outcome.GetDetail() != peerAnswered {
		t.Error(c)
	}
}

// What another component of a replica still sends while it stops opens no stream that nobody closes.
func TestPeersThatAreClosedOpenNoLink(t *testing.T) {
	address := "127.0.0.1:1"
	plain := credentialsOf(t, TLS{})
	p := &Peers{
		cfg: Config{Handler: &handler{}, Log: slog.New(slog.DiscardHandler)}, creds: plain, links: map[string]*link{},
		asking: newAsking(),
	}
	before := p.link(address)
	p.Close()
	select {
	case <-before.ended:
	default:
		t.Error("a link outlives the peers")
	}
	p.Step("127.0.0.1:2", &peerv1.ReservationRequest{})
	for _, address := range []string{address, "127.0.0.1:2"} {
		c := newCall()
		p.Command(address, &peerv1.CommandRequest{}, c.answered)
		if !c.isDone() || !errors.Is(c.err, ErrStopping) || c.err.Error() != "this replica is stopping" {
			t.Errorf("%v", c.err)
		}
	}
	if len(p.links) != 1 || p.links[address] != before {
		t.Errorf("%d links", len(p.links))
	}
}

// A frame that a receiver refuses would break the stream, and be sent again.
func TestFramesAreBoundedByBytes(t *testing.T) {
	step := &peerv1.ReservationRequest{OrderId: "o", Wanted: make([]*peerv1.Wanted, 2_000)}
	answer := &peerv1.ReservationResponse{OrderId: "o", Held: make([]*peerv1.Held, 2_000)}
	for i := range 2_000 {
		sku := strings.Repeat("s", 60)
		step.Wanted[i], answer.Held[i] = &peerv1.Wanted{Sku: sku, Reserved: 1}, &peerv1.Held{Sku: sku, Reserved: 1}
	}
	const sent = 100
	l := idleLink()
	p := &Peers{links: map[string]*link{"peer": l}}
	out := newReplies(1)
	for range sent {
		p.Step("peer", step)
		out.reservation(answer)
	}
	asked, answered := 0, 0
	for f := l.frame(); f != nil; f = l.frame() {
		if asked += len(f.Reservations); f.SizeVT() > MaxFrameBytes+2*step.SizeVT() {
			t.Errorf("a frame of %d bytes", f.SizeVT())
		}
	}
	for f := (&peerv1.ExchangeResponse{}); out.pack(f); f = new(peerv1.ExchangeResponse) {
		if answered += len(f.Reservations); f.SizeVT() > MaxFrameBytes+2*answer.SizeVT() {
			t.Errorf("a frame of %d bytes", f.SizeVT())
		}
	}
	if asked != sent || answered != sent {
		t.Errorf("%d steps and %d answers, want %d of each", asked, answered, sent)
	}
}

// unreadStream brings frames of commands, and has nobody read the answers until it is released.
type unreadStream struct {
	grpc.ServerStream
	ctx     context.Context
	out     *replies
	frames  int
	release chan struct{}

	mu       sync.Mutex
	overfull bool
	answered int
}

func (s *unreadStream) Context() context.Context { return s.ctx }

func (s *unreadStream) Recv() (*peerv1.ExchangeRequest, error) {
	s.mu.Lock()
	s.overfull = s.overfull || s.out.full()
	s.mu.Unlock()
	if s.frames == 0 {
		return nil, io.EOF
	}
	s.frames--
	f := &peerv1.ExchangeRequest{Generation: 7, Commands: make([]*peerv1.CommandRequest, MaxFrameMessages)}
	for i := range f.Commands {
		f.Commands[i] = &peerv1.CommandRequest{}
	}
	return f, nil
}

func (s *unreadStream) Send(f *peerv1.ExchangeResponse) error {
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered += len(f.Commands)
	return nil
}

func TestNoFramesAreReadWhileTheAnswersAreFull(t *testing.T) {
	const frames = 3 * MaxQueued / MaxFrameMessages
	s := &unreadStream{ctx: t.Context(), out: newReplies(1), frames: frames, release: make(chan struct{})}
	served := make(chan error)
	go func() { served <- (&server{generation: 1, handler: &handler{}}).serve(s, s.out) }()
	for deadline := time.Now().Add(time.Minute); !s.out.full(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the answers never fill up")
		}
	}
	close(s.release)
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if s.overfull || s.frames != 0 || s.answered == 0 {
		t.Errorf("read while full: %v; %d frames left, %d commands answered", s.overfull, s.frames, s.answered)
	}
}

func TestAStreamThatEndsWhileTheAnswersAreFullIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &unreadStream{ctx: ctx, out: newReplies(1), frames: 1, release: make(chan struct{})}
	close(s.release)
	for range 2 * MaxQueued { // the sender sends some of them
		s.out.command(0, true, nil)
	}
	cancel()
	if err := (&server{generation: 1, handler: &handler{}}).serve(s, s.out); err != nil {
		t.Fatal(err)
	}
}
