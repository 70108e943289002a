package main

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A quick start prints nothing. A long one prints every few seconds what it waits for.
func TestALongStartSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := newStartProgress(&out)
		reason := errors.Join(
			errors.New("shard 0 is being restored: 9 records of the log to go"),
			errors.New("the view orders is starting"),
		)
		for range 55 { // 5.5 s
			s.waiting(reason)
			time.Sleep(100 * time.Millisecond)
		}
		s.close()
		const want = "Starting, 2 s: shard 0 is being restored: 9 records of the log to go\n" +
			"Starting, 5 s: shard 0 is being restored: 9 records of the log to go\n"
		if out.String() != want {
			t.Errorf("it said:\n%s\nwant:\n%s", &out, want)
		}
	})
}
