package shard

import "time"

const (
	// resendFirst is how long a step waits for its answer before it is sent again, where nothing is known of the target
	// shard yet. resendAtLeast is more than a shard that has nothing to do takes for a commit. resendAtMost bounds how
	// late an order goes on whose message was lost while answers took long.
	resendFirst   = time.Second
	resendAtLeast = 200 * time.Millisecond
	resendAtMost  = 5 * time.Second
)

// answerTime is how long one shard takes to answer steps, and how long to wait for an answer before the step is sent
// again. It is the retransmission timer of RFC 6298.
//
// Example: answers that take 300 ms, now and then 100 ms more or less, make a step wait for 700 ms or so.
type answerTime struct {
	smoothed, variation time.Duration // smoothed 0: no answer yet
	// backedOff is the wait after steps were sent again, until an answer says how long it took. Who would have
	// forgotten it would send each step twice while answers take longer than they used to.
	backedOff   time.Duration
	backedOffAt time.Time
}

// answered notes how long an answer took. Only that to a step which was sent once says so (Karn's rule): the answer to
// one that was sent twice may be to either.
func (a *answerTime) answered(took time.Duration) {
	if a.smoothed == 0 {
		a.smoothed, a.variation = took, took/2
	} else {
		a.variation += ((a.smoothed - took).Abs() - a.variation) / 4
		a.smoothed += (took - a.smoothed) / 8
	}
	a.backedOff = 0
}

// expected is how long to wait for the answer to a step that was sent once.
func (a *answerTime) expected() time.Duration {
	if a.smoothed == 0 {
		return resendFirst
	}
	return min(max(a.smoothed+4*a.variation, resendAtLeast), resendAtMost)
}

// wait is how long to wait for the answer to a step that was sent so many times: twice as long after each time.
func (a *answerTime) wait(attempts int) time.Duration {
	return min(max(a.expected()<<min(attempts-1, 6), a.backedOff), resendAtMost)
}

// expired notes that a step has waited in vain. Many steps may have waited at once: the wait doubles once for all of
// them.
func (a *answerTime) expired(now time.Time) {
	wait := a.wait(1)
	if now.Sub(a.backedOffAt) < wait {
		return
	}
	a.backedOff, a.backedOffAt = min(2*wait, resendAtMost), now
}
