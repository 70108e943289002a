package chdbtest

import (
	"context"
	"testing"
	"time"
)

// Patience bounds a test's waits. A test that passes never waits that long.
const Patience = 2 * time.Minute

// pollInterval is the time between two evaluations of a condition.
const pollInterval = 5 * time.Millisecond

// Context ends after Patience, or with the test.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Eventually waits until the condition is true. It fails the test after Patience.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not true after %s: %s", Patience, what)
		case <-poll.C:
		}
	}
}
