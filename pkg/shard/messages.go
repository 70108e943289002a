package shard

import (
	"github.com/holdfast/holdfast/pkg/shard/internal/peer"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// takesMessages is the runner of a shard that a message names; nil: the shard is not this replica's. One that is still
// acquiring the shard takes messages too, and decides them once it serves: its announcement has others send their steps
// again at once, and what it sends itself is answered before it serves. Were these lost, orders would wait for a
// resend.
func (n *Node) takesMessages(shard uint32) *runner {
	if int(shard) >= len(n.runners) {
		return nil
	}
	if r := n.acquiring[shard].Load(); r != nil { // asked first: when it leaves here, runners has it
		return r
	}
	return n.runners[shard].Load()
}

// enqueueMessage puts a message of another shard into a shard's queue, or drops it: its sender resends it.
func (n *Node) enqueueMessage(r *runner, message input) {
	if r.inbox.putMessage(message) == inboxFull {
		n.metrics.dropped.WithLabelValues(queueOfShard).Inc()
	}
}

// sendStep delivers a step to its target's shard, here or at a peer. It may be lost, and a tentative one is where the
// owner would take it for any other.
func (n *Node) sendStep(req *peerv1.ReservationRequest) {
	n.cfg.Hooks.deliver(func() {
		if r := n.takesMessages(req.TargetShard); r != nil {
			n.enqueueMessage(r, &stepInput{req: req, reply: n.deliverStepAnswer})
			return
		}
		owner, err := n.owners.lookup(int32(req.TargetShard))
		if err == nil && (owner.tentative || !req.Tentative) { // without an owner it is lost
			n.peers.Step(owner.address, req)
		}
	})
}

// sendQuery delivers a query to the order's shard, here or at a peer. It may be lost.
func (n *Node) sendQuery(q *peerv1.OrderQuery) {
	n.cfg.Hooks.deliver(func() {
		if r := n.takesMessages(q.TargetShard); r != nil {
			n.enqueueMessage(r, &queryInput{query: q, reply: n.deliverQueryAnswer})
			return
		}
		if address, err := n.owners.address(int32(q.TargetShard)); err == nil { // without an owner it is lost
			n.peers.Query(address, q)
		}
	})
}

// deliverStepAnswer delivers an answer to a shard of this replica.
func (n *Node) deliverStepAnswer(resp *peerv1.ReservationResponse) {
	n.cfg.Hooks.deliver(func() {
		if r := n.takesMessages(resp.SourceShard); r != nil {
			n.enqueueMessage(r, &stepAnswerInput{resp: resp})
		}
	})
}

// deliverQueryAnswer delivers an answer to a shard of this replica.
func (n *Node) deliverQueryAnswer(resp *peerv1.OrderQueryResponse) {
	n.cfg.Hooks.deliver(func() {
		if r := n.takesMessages(resp.SourceShard); r != nil {
			n.enqueueMessage(r, &queryAnswerInput{resp: resp})
		}
	})
}

// peerHandler handles the messages of other replicas.
type peerHandler struct{ node *Node }

var _ peer.Handler = peerHandler{}

// Command decides a command of another replica, has it wait while the shard is acquired here, or hands it back where
// the shard is not this replica's.
func (h peerHandler) Command(c *peerv1.CommandRequest, answer func(final bool, r *peerv1.CommandResult)) {
	n := h.node
	if !n.joined.Load() {
		answer(true, resultToWire(handedOver("the replica is starting: retry with the same Idempotency-Key")))
		return
	}
	if int(c.Shard) >= len(n.clocks) {
		answer(true, h.Refuse("there is no such shard: retry with the same Idempotency-Key"))
		return
	}
	received := n.clocks[c.Shard].received(c.ReceivedAtMicros)
	cmd, err := n.cfg.Decode(c.Type, c.AggregateId, c.IdempotencyKey, c.Body, received)
	if err != nil {
		answer(true, h.Refuse("the shard's owner does not understand the command: "+err.Error()))
		return
	}
	cmd.ExpectedVersion, cmd.Stream, cmd.TraceParent = c.ExpectedVersion, c.Stream, c.Traceparent
	cmd.lookUp = c.LookUp
	cmd.Principal = Principal{Name: c.Principal.GetName(), Verified: c.Principal.GetVerified()}
	if n.ShardOf(cmd.ID) != int32(c.Shard) {
		answer(true, h.Refuse("the command is not for this shard: retry with the same Idempotency-Key"))
		return
	}
	in := newCommandInput(cmd)
	in.fromPeer = true
	cmd.heard = heardUnknown
	if c.HeardOffset != nil {
		cmd.heard = *c.HeardOffset
	}
	in.notify = func(final bool, r Result) { answer(final, n.resultToPeer(r, int32(c.Shard))) }
	n.submit(int32(c.Shard), in)
}

// resultToPeer is a result for another replica. Who hears of a refusal has heard of its announcement.
func (n *Node) resultToPeer(r Result, shard int32) *peerv1.CommandResult {
	out := resultToWire(r)
	if definite(&r) {
		out.HeardOffset = n.Heard().of(shard)
	}
	return out
}

// Refuse is the answer to a command that was not tried.
func (peerHandler) Refuse(detail string) *peerv1.CommandResult {
	return resultToWire(unavailable(detail))
}

// Step decides a step of another replica.
func (h peerHandler) Step(req *peerv1.ReservationRequest, reply func(*peerv1.ReservationResponse)) {
	if r := h.node.takesMessages(req.TargetShard); r != nil {
		h.node.enqueueMessage(r, &stepInput{req: req, reply: func(resp *peerv1.ReservationResponse) {
			h.node.cfg.Hooks.deliver(func() { reply(resp) })
		}})
	}
}

// StepAnswer delivers the answer to a step of this replica.
func (h peerHandler) StepAnswer(resp *peerv1.ReservationResponse) { h.node.deliverStepAnswer(resp) }

// Query decides a query of another replica.
func (h peerHandler) Query(q *peerv1.OrderQuery, reply func(*peerv1.OrderQueryResponse)) {
	if r := h.node.takesMessages(q.TargetShard); r != nil {
		h.node.enqueueMessage(r, &queryInput{query: q, reply: func(resp *peerv1.OrderQueryResponse) {
			h.node.cfg.Hooks.deliver(func() { reply(resp) })
		}})
	}
}

// QueryAnswer delivers the answer to a query of this replica.
func (h peerHandler) QueryAnswer(resp *peerv1.OrderQueryResponse) { h.node.deliverQueryAnswer(resp) }

// Dropped counts a message that found no room on its way to a peer.
func (h peerHandler) Dropped() { h.node.metrics.dropped.WithLabelValues(queueOfPeer).Inc() }

// OrderKeys implements peer.Handler.
func (h peerHandler) OrderKeys(req *peerv1.OrderKeysRequest, send func(*peerv1.OrderKeysResponse) error) error {
	return h.node.sendKeys(req, send)
}
