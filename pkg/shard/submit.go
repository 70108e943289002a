package shard

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/peer"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// Submit hands a command to its shard's owner. It never blocks; the future is answered in any case.
func (n *Node) Submit(cmd *Command) *Future {
	in := newCommandInput(cmd)
	shard := n.ShardOf(cmd.ID)
	n.setHeard(cmd, shard)
	if r := n.runners[shard].Load(); r != nil {
		n.enqueue(r.inbox, in)
	} else {
		n.submitToPeer(shard, in)
	}
	return &in.Future
}

// SubmitBehind is Submit for a command that must not overtake the previous one on its aggregate, which need not have
// an outcome yet. It goes into the queue that accepted that one, or is refused with it: whoever the shard belongs to by
// now, it runs nowhere else. nil: no queue of this replica accepted the previous one, so the caller has to wait for its
// outcome.
func (n *Node) SubmitBehind(previous *Future, cmd *Command) *Future {
	if previous.queue == nil {
		return nil
	}
	in := newCommandInput(cmd)
	n.setHeard(cmd, n.ShardOf(cmd.ID))
	n.enqueue(previous.queue, in)
	return &in.Future
}

// enqueue puts a command into a shard's queue, or answers that there is no room.
func (n *Node) enqueue(queue *inbox, in *commandInput) {
	in.queue = queue
	how, wait := queue.putCommand(in)
	switch how {
	case admitted:
	case inboxFull:
		n.metrics.refusedFull.Inc()
		in.abandon(Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("the shard has %d commands waiting; retry later with the same key", MaxQueued)})
	case tooLate:
		n.metrics.refusedLate.Inc()
		in.abandon(Result{Code: problem.TooManyRequests, RetryAfterSeconds: int(math.Ceil(wait.Seconds())),
			Detail: fmt.Sprintf("the shard would come to the command after %s; retry then with the same key",
				wait.Round(100*time.Millisecond))})
	case inboxClosed:
		in.abandon(unavailable("the shard is changing hands: retry with the same Idempotency-Key"))
	}
}

// submitToPeer sends a command to the owner of its shard.
func (n *Node) submitToPeer(shard int32, in *commandInput) {
	address, err := n.owners.address(shard)
	if err != nil {
		in.abandon(unavailable(err.Error() + ": retry with the same Idempotency-Key"))
		return
	}
	n.peers.Command(address, commandToWire(in.release(), shard), func(resp *peerv1.CommandResponse, err error) {
		n.hearing.learn(shard, resp.GetOutcome().GetHeardOffset())
		n.answerFromPeer(&in.Future, resp, err)
	})
}

// answerFromPeer answers a command with what its owner says, or why that says nothing.
func (n *Node) answerFromPeer(fut *Future, resp *peerv1.CommandResponse, err error) {
	if full, ok := errors.AsType[*peer.FullError](err); ok {
		n.metrics.refusedFull.Inc()
		fut.finish(Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: full.Error() + "; retry later with the same key"})
		return
	}
	if err != nil {
		fut.finish(unavailable(err.Error() + ": retry with the same Idempotency-Key"))
		return
	}
	res, err := resultFromWire(resp.Outcome)
	switch {
	case err != nil:
		fut.finish(unavailable("the owner's answer cannot be read: " + err.Error()))
	case resp.Final:
		fut.finish(res)
	default:
		fut.accept(res)
	}
}
