package shard

import (
	"time"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// input is one thing for a shard to decide: a command, or a message of another shard.
type input interface {
	// decide decides the input into the current batch. Its error is the shard's, never the command's: it ends this
	// ownership.
	decide(d *decider) error
	// abandon gives the input up. A command is answered with the result; a message is resent by its sender.
	abandon(res Result)
}

// commandInput is a command with its future, in one allocation. Callers may keep the future for long: release lets the
// command go once nobody needs it any more, so that they do not keep its body.
type commandInput struct {
	Future
	cmd *Command // nil once it is released
	// waitsUntil is how long it waits for an owner of its shard; zero: it has not had to.
	waitsUntil time.Time
}

// release returns the command and lets it go.
func (in *commandInput) release() *Command {
	cmd := in.cmd
	in.cmd = nil
	return cmd
}

func newCommandInput(cmd *Command) *commandInput {
	return &commandInput{Future: Future{accepted: make(chan struct{}), done: make(chan struct{})}, cmd: cmd}
}

func (in *commandInput) decide(d *decider) error {
	cmd := in.release()
	if cmd.isOrder() {
		return d.decideOrder(cmd, &in.Future)
	}
	return d.decideStock(cmd, &in.Future)
}

func (in *commandInput) abandon(res Result) {
	in.release()
	in.finish(res)
}

// resent is embedded by inputs that their sender resends when it gets no answer.
type resent struct{}

func (resent) abandon(Result) {}

// stepInput is a step of an order of another shard.
type stepInput struct {
	resent
	req   *peerv1.ReservationRequest
	reply func(*peerv1.ReservationResponse)
}

func (in *stepInput) decide(d *decider) error { return d.decideStep(in.req, in.reply) }

// stepAnswerInput is stock's answer to a step of an order of this shard.
type stepAnswerInput struct {
	resent
	resp *peerv1.ReservationResponse
}

func (in *stepAnswerInput) decide(d *decider) error { return d.decideStepAnswer(in.resp) }

// ownerInput says that another shard has a new owner.
type ownerInput struct {
	resent // where it is lost, steps are sent again in their time
	shard  int32
}

func (in *ownerInput) decide(d *decider) error {
	d.resendTo(in.shard)
	d.sweepTentative(in.shard)
	return nil
}

// queryInput says what stock of another shard has reserved for an order of this one.
type queryInput struct {
	resent
	query *peerv1.OrderQuery
	reply func(*peerv1.OrderQueryResponse)
}

func (in *queryInput) decide(d *decider) error { return d.decideQuery(in.query, in.reply) }

// queryAnswerInput is what an order's shard answers to a query of this one.
type queryAnswerInput struct {
	resent
	resp *peerv1.OrderQueryResponse
}

func (in *queryAnswerInput) decide(d *decider) error { return d.decideQueryAnswer(in.resp) }
