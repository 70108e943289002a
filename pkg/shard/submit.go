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
	in := n.newCounted(cmd)
	shard := n.ShardOf(cmd.ID)
	n.setHeard(cmd, shard)
	if others := n.shardsToAsk(cmd); len(others) > 0 {
		n.askThenSubmit(in, others)
		return &in.Future
	}
	if r := n.runners[shard].Load(); r != nil && n.enqueue(r.inbox, in) {
		in.queue = r.inbox
		return &in.Future
	}
	if !n.handOvers[shard].keeps(in) {
		n.submit(shard, in)
	}
	return &in.Future
}

// newCounted is the input of a client's command, whose outcome is counted.
func (n *Node) newCounted(cmd *Command) *commandInput {
	in := newCommandInput(cmd)
	in.outcomes = n.metrics.outcomesOf(cmd.Type)
	return in
}

// submit hands a command to its shard's owner, or has it wait for the next one.
func (n *Node) submit(shard int32, in *commandInput) {
	r := n.runners[shard].Load()
	switch {
	case r != nil && n.enqueue(r.inbox, in):
	case in.fromPeer && !n.group.Owned(shard): // it is never handed on to a third replica
		in.abandon(handedOver("the shard has moved: retry with the same Idempotency-Key"))
	case in.fromPeer || r != nil:
		n.handOvers[shard].add(in, "", handedOver("the shard is changing hands: retry with the same Idempotency-Key"))
	default:
		n.submitToPeer(shard, in)
	}
}

// SubmitBehind is Submit for a command that must not overtake the previous one on its aggregate, which need not have
// an outcome yet. It goes into the queue that accepted that one, or is refused with it: whoever the shard belongs to by
// now, it runs nowhere else. nil: no queue of this replica accepted the previous one, so the caller has to wait for its
// outcome.
func (n *Node) SubmitBehind(previous *Future, cmd *Command) *Future {
	if previous.queue == nil {
		return nil
	}
	in := n.newCounted(cmd)
	n.setHeard(cmd, n.ShardOf(cmd.ID))
	in.queue = previous.queue
	if !n.enqueue(previous.queue, in) {
		in.abandon(unavailable("the shard is changing hands: retry with the same Idempotency-Key"))
	}
	return &in.Future
}

// enqueue puts a command into a shard's queue, or answers that there is no room. It is false where the queue is closed,
// because the shard changes hands.
func (n *Node) enqueue(queue *inbox, in *commandInput) bool {
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
		return false
	}
	return true
}

// submitToPeer sends a command to the owner of its shard, or has it wait where there is none.
func (n *Node) submitToPeer(shard int32, in *commandInput) {
	owner, err := n.owners.lookup(shard)
	switch {
	case errors.Is(err, errNoOwner):
		n.handOvers[shard].add(in, "", unavailable(err.Error()+": retry with the same Idempotency-Key"))
		return
	case err != nil:
		in.abandon(unavailable(err.Error() + ": retry with the same Idempotency-Key"))
		return
	}
	n.peers.Command(owner.address, commandToWire(in.cmd, shard), func(resp *peerv1.CommandResponse, err error) {
		n.hearing.learn(shard, resp.GetOutcome().GetHeardOffset())
		n.answerFromPeer(shard, owner.id, in, resp, err)
	})
}

// answerFromPeer answers a command with what its owner says. Where the shard has left that owner, the command waits for
// the next one.
func (n *Node) answerFromPeer(
	shard int32, ownerID string, in *commandInput, resp *peerv1.CommandResponse, err error,
) {
	if full, ok := errors.AsType[*peer.FullError](err); ok {
		n.metrics.refusedFull.Inc()
		in.abandon(Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: full.Error() + "; retry later with the same key"})
		return
	}
	if err != nil {
		res := unavailable(err.Error() + ": retry with the same Idempotency-Key")
		// The command may have been done. Under its key it is not done again.
		if _, lost := errors.AsType[*peer.UnreachableError](err); lost && in.cmd.Key != "" {
			n.handOvers[shard].add(in, ownerID, res)
		} else {
			in.abandon(res)
		}
		return
	}
	res, err := resultFromWire(resp.Outcome)
	if err == nil && res.HandedOver {
		n.handOvers[shard].add(in, ownerID, res)
		return
	}
	n.handOvers[shard].served()
	switch {
	case err != nil:
		in.abandon(unavailable("the owner's answer cannot be read: " + err.Error()))
	case resp.Final:
		in.abandon(res)
	default:
		in.accept(res)
	}
}
