package shard

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/peer"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// nodeOf is a node that has shards, and nothing else.
func nodeOf(m *metrics, shards int) *Node {
	return &Node{
		process: process{metrics: m}, runners: make([]atomic.Pointer[runner], shards),
		acquiring: make([]atomic.Pointer[runner], shards),
	}
}

func TestMessagesThatFindNoRoomAreCounted(t *testing.T) {
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	node := nodeOf(m, 2)
	r := &runner{node: node, inbox: newInbox(0)}
	node.runners[0].Store(r)
	dropped := func() (shard, peer float64) {
		return testutil.ToFloat64(m.dropped.WithLabelValues("shard")), testutil.ToFloat64(m.dropped.WithLabelValues("peer"))
	}
	for range MaxQueuedMessages {
		node.sendStep(&peerv1.ReservationRequest{})
	}
	if shard, peer := dropped(); shard != 0 || peer != 0 {
		t.Fatalf("%v and %v dropped while there was room", shard, peer)
	}
	var h peer.Handler = peerHandler{node}
	node.sendStep(&peerv1.ReservationRequest{})
	node.sendQuery(&peerv1.OrderQuery{})
	h.StepAnswer(&peerv1.ReservationResponse{})
	h.QueryAnswer(&peerv1.OrderQueryResponse{})
	h.Step(&peerv1.ReservationRequest{}, nil)
	h.Query(&peerv1.OrderQuery{}, nil)
	h.Dropped()
	if shard, peer := dropped(); shard != 6 || peer != 1 {
		t.Errorf("%v and %v were dropped, want 6 by the shard and 1 by the link", shard, peer)
	}
	r.inbox.close() // what comes for a shard that has left is no news of a full queue
	node.sendStep(&peerv1.ReservationRequest{})
	if shard, _ := dropped(); shard != 6 {
		t.Errorf("%v", shard)
	}
}

// A command that a peer refuses, or that it may have done, is answered so that its client knows what to do.
func TestACommandThatAPeerDoesNotAnswer(t *testing.T) {
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	node := &Node{process: process{metrics: m}}
	node.handOvers = newHandOvers(node, 1)
	for _, test := range []struct {
		err    error
		code   string
		detail string
	}{
		{
			&peer.FullError{Address: "peer"}, problem.TooManyRequests,
			"too many commands wait for peer; retry later with the same key",
		},
		{peer.ErrStopping, problem.Unavailable, "this replica is stopping: retry with the same Idempotency-Key"},
		{
			&peer.UnreachableError{Address: "peer"}, problem.Unavailable,
			"the owner of the shard cannot be reached at peer: retry with the same Idempotency-Key",
		},
	} {
		in := newCommandInput(&Command{}) // without a key: it might be done twice
		node.answerFromPeer(0, "", in, nil, test.err)
		r := in.Result()
		if !closed(in.Done()) || r.Code != test.code || r.Detail != test.detail || r.RetryAfterSeconds != 1 {
			t.Errorf("%v: %+v", test.err, r)
		}
	}
	if full := testutil.ToFloat64(m.refusedFull); full != 1 {
		t.Errorf("%v were counted as full", full)
	}
}

// unregistered are metrics that nobody reads.
func unregistered(t *testing.T) *metrics {
	t.Helper()
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A command may come back from a former owner when this replica serves the shard already. It is taken, and the shard
// does not count as one without an owner: commands of a hand-over long after that would not wait.
func TestACommandThatComesBackLateIsTaken(t *testing.T) {
	node := nodeOf(unregistered(t), 1)
	node.handOvers = newHandOvers(node, 1)
	r := &runner{inbox: newInbox(0)}
	node.runners[0].Store(r)
	h := node.handOvers[0]
	h.add(newCommandInput(&Command{}), "former", handedOver("the shard has moved"))
	if taken := len(r.inbox.drain()); taken != 1 || h.since.Load() != 0 {
		t.Errorf("%d commands are taken; without an owner since %d", taken, h.since.Load())
	}
}

// An owner that said that it serves the shard, before the shard was seen to have no owner, may have left since.
func TestWhatAnOwnerSaidBeforeABreakDoesNotEndIt(t *testing.T) {
	node := nodeOf(unregistered(t), 1)
	node.handOvers = newHandOvers(node, 1)
	h := node.handOvers[0]
	broke := time.Now()
	h.since.Store(broke.UnixNano())
	if h.serves(broke.Add(-time.Millisecond)); h.since.Load() != broke.UnixNano() {
		t.Error("an older answer ended it")
	}
	if h.serves(broke.Add(time.Millisecond)); h.since.Load() != 0 {
		t.Error("a newer answer did not end it")
	}
}

// A client whose order was accepted waits through any number of hand-overs, while another replica asks by itself.
func TestAnAcceptedOrderWaitsThroughHandOvers(t *testing.T) {
	node := nodeOf(unregistered(t), 1)
	node.handOvers = newHandOvers(node, 1)
	node.owners = newOwners(eventlog.Layout{ShardCount: 1}, nil, nil, nil, func(int32) {})
	client, moving := newCommandInput(&Command{Key: "k"}), handedOver("the shard is moving")
	asked := client
	for range 3 {
		node.giveBackWaiter(0, waiter{fut: &asked.Future, cmd: client.cmd}, moving)
		waits := node.handOvers[0].take()
		if len(waits) != 1 || closed(client.Done()) {
			t.Fatalf("%d commands wait; the client has %+v", len(waits), client.Result())
		}
		asked = waits[0]
	}
	asked.finish(Result{Version: 7})
	if !closed(client.Done()) || client.Result().Version != 7 {
		t.Errorf("the client has %+v", client.Result())
	}
	peers := newCommandInput(&Command{Key: "k"})
	peers.fromPeer = true
	node.giveBackWaiter(0, waiter{fut: &peers.Future, cmd: peers.cmd}, moving)
	if !closed(peers.Done()) || !peers.Result().HandedOver {
		t.Errorf("the other replica has %+v", peers.Result())
	}
}
