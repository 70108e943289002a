package shard

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"

	"github.com/holdfast/holdfast/pkg/eventlog"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// idleLink is a link whose stream nothing drives.
func idleLink(t *testing.T) *link {
	t.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &link{node: &Node{metrics: m}, out: newOutbox[peerv1.ExchangeRequest](), pending: map[uint64]*Future{}}
}

func TestACommandBeyondAFullLinkIsAnsweredAtOnceAndNowhereElse(t *testing.T) {
	l := idleLink(t)
	for range MaxPeerQueued {
		l.put(0, func(*peerv1.ExchangeRequest) {})
	}
	fut := NewFuture()
	l.submit(0, &Command{}, fut)
	if !closed(fut.Done()) || fut.Result().Code != CodeTooManyRequests || len(l.pending) != 0 {
		t.Fatalf("%+v, %d pending", fut.Result(), len(l.pending))
	}
	l.fail() // and there is room again
	fut = NewFuture()
	l.submit(0, &Command{}, fut)
	if closed(fut.Done()) || len(l.pending) != 1 {
		t.Fatalf("%+v, %d pending", fut.Result(), len(l.pending))
	}
	l.fail()
	if !closed(fut.Done()) || fut.Result().Code != CodeUnavailable || l.frame() != nil {
		t.Fatalf("%+v", fut.Result())
	}
}

func TestALinkThatHasEndedAnswers(t *testing.T) {
	l := idleLink(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.run(ctx)
	fut := NewFuture()
	l.submit(0, &Command{}, fut)
	if !closed(fut.Done()) || fut.Result().Code != CodeUnavailable {
		t.Fatalf("%+v", fut.Result())
	}
}

func TestMessagesThatFindNoRoomAreCounted(t *testing.T) {
	node := idleLink(t).node
	node.runners = make([]atomic.Pointer[runner], 2)
	r := &runner{node: node, in: newInbox()}
	node.runners[0].Store(r)
	l := &link{node: node, out: newOutbox[peerv1.ExchangeRequest]()}
	node.peers = &peers{owners: []owner{{}, {id: "owner", address: "peer"}}, links: map[string]*link{"peer": l}}
	dropped := func() (shard, peer float64) {
		return testutil.ToFloat64(node.metrics.dropped.WithLabelValues("shard")), testutil.ToFloat64(node.metrics.dropped.WithLabelValues("peer"))
	}
	for range MaxQueuedMessages {
		node.sendStep(&peerv1.ReservationRequest{})
	}
	for range MaxPeerQueued {
		node.sendQuery(&peerv1.OrderQuery{TargetShard: 1})
	}
	if shard, peer := dropped(); shard != 0 || peer != 0 {
		t.Fatalf("%v and %v dropped while there was room", shard, peer)
	}
	node.sendStep(&peerv1.ReservationRequest{})
	node.sendQuery(&peerv1.OrderQuery{})
	node.answerHere(&peerv1.ReservationResponse{})
	node.queryAnswerHere(&peerv1.OrderQueryResponse{})
	server := &peerServer{node: node}
	server.take(&peerv1.ExchangeRequest{Reservations: []stepRequest{{}}, OrderQueries: []query{{}}}, newReplies(1))
	node.sendStep(&peerv1.ReservationRequest{TargetShard: 1})
	node.sendQuery(&peerv1.OrderQuery{TargetShard: 1})
	if shard, peer := dropped(); shard != 6 || peer != 2 {
		t.Errorf("%v and %v were dropped, want 6 by the shard and 2 by the link", shard, peer)
	}
	r.in.close() // what comes for a shard that has left is no news of a full queue
	node.sendStep(&peerv1.ReservationRequest{})
	if shard, _ := dropped(); shard != 6 {
		t.Errorf("%v", shard)
	}
}

// What another part of a replica still sends while it stops starts nothing that nobody ends.
func TestPeersThatAreClosedOpenNoLink(t *testing.T) {
	address := "127.0.0.1:1"
	p := &peers{
		node: idleLink(t).node, stop: func() {}, links: map[string]*link{},
		owners: []owner{{id: "one", address: address}, {id: "two", address: "127.0.0.1:2"}},
	}
	before, err := p.link(0)
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	if !closed(before.ended) {
		t.Error("a link outlives the peers")
	}
	p.sendStep(&peerv1.ReservationRequest{TargetShard: 1})
	for shard := range int32(2) {
		fut := NewFuture()
		p.submit(shard, &Command{}, fut)
		if !closed(fut.Done()) || fut.Result().Code != CodeUnavailable || !strings.Contains(fut.Result().Detail, "is stopping") {
			t.Errorf("%+v", fut.Result())
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
	p := &peers{owners: []owner{{id: "owner", address: "peer"}}, links: map[string]*link{"peer": idleLink(t)}}
	out := newReplies(1)
	for range sent {
		p.sendStep(step)
		out.reservation(answer)
	}
	asked, answered := 0, 0
	for f := p.links["peer"].frame(); f != nil; f = p.links["peer"].frame() {
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
	const frames = 3 * MaxPeerQueued / MaxFrameMessages
	s := &unreadStream{ctx: t.Context(), out: newReplies(1), frames: frames, release: make(chan struct{})}
	served := make(chan error)
	go func() { served <- (&peerServer{node: &Node{layout: layoutOf(1)}}).serve(s, s.out) }()
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
	for range 2 * MaxPeerQueued { // a sender takes some of them
		s.out.answer(&peerv1.CommandResponse{})
	}
	cancel()
	if err := (&peerServer{node: &Node{layout: layoutOf(1)}}).serve(s, s.out); err != nil {
		t.Fatal(err)
	}
}

func layoutOf(generation uint32) eventlog.Layout { return eventlog.Layout{Generation: generation} }
