package shard

import (
	"testing"
	"time"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// The wait for an answer follows what answers take, within its limits.
func TestAStepWaitsAsLongAsAnswersTake(t *testing.T) {
	var a answerTime
	if a.wait(1) != resendFirst {
		t.Errorf("before any answer: %s", a.wait(1))
	}
	for _, took := range []time.Duration{time.Millisecond, 700 * time.Millisecond, time.Minute} {
		for range 100 {
			a.answered(took)
		}
		want := min(max(took, resendAtLeast), resendAtMost)
		if wait := a.wait(1); wait < want || wait > want+want/10 {
			t.Errorf("answers take %s, and a step waits for %s", took, wait)
		}
	}
}

// Each time that a step is sent again it waits twice as long.
func TestAStepThatWasSentAgainWaitsLonger(t *testing.T) {
	var a answerTime
	for range 100 {
		a.answered(time.Millisecond)
	}
	for attempts, want := 1, resendAtLeast; attempts < 100; attempts, want = attempts+1, min(2*want, resendAtMost) {
		if wait := a.wait(attempts); wait != want {
			t.Errorf("after %d attempts: %s, want %s", attempts, wait, want)
		}
	}
}

// A step that is sent again early, because one of its targets has a new owner, has not waited in vain: the wait for
// neither target grows. That of one which has waited to the end does.
func TestANewOwnerDoesNotMakeStepsWaitLonger(t *testing.T) {
	const now, later = 1_000_000, 2_000_000
	for owner, want := range map[int32]time.Duration{1: resendFirst, 3: 2 * resendFirst} {
		d := &decider{sagas: newSagas(4), batch: newBatch()}
		d.sagas.byOrder["o"] = &saga{orderID: "o", waiting: map[int32]*peerv1.ReservationRequest{1: {}, 2: {}}}
		d.sagas.resends.set("o", later)
		d.batch.now = now
		d.resendTo(owner)
		d.resendSteps()
		if early := len(d.batch.onCommit) == 1; early != (owner == 1) {
			t.Errorf("a new owner of shard %d: the step is sent again early: %t", owner, early)
		}
		d.batch.now = later
		d.resendSteps()
		for _, target := range []int32{1, 2} {
			if wait := d.sagas.answerTimes[target].wait(1); wait != want {
				t.Errorf("a new owner of shard %d: steps wait for shard %d for %s, want %s", owner, target, wait, want)
			}
		}
	}
}

// When answers begin to take longer than the wait, all steps are sent twice, and their answers say nothing. The wait
// must grow all the same, for new steps too, once for all those that waited together; until an answer is measured.
func TestTheWaitGrowsWithoutMeasuredAnswers(t *testing.T) {
	var a answerTime
	for range 100 {
		a.answered(time.Millisecond)
	}
	now := time.Now()
	for range 1_000 {
		a.expired(now)
	}
	if wait := a.wait(1); wait != 2*resendAtLeast {
		t.Errorf("after the first ones: %s", wait)
	}
	for range 100 {
		now = now.Add(a.wait(1))
		a.expired(now)
	}
	if wait := a.wait(1); wait != resendAtMost {
		t.Errorf("in the end: %s", wait)
	}
	a.answered(time.Millisecond)
	if wait := a.wait(1); wait != resendAtLeast {
		t.Errorf("after an answer: %s", wait)
	}
}
