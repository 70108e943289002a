package analytics

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// movingMirror is a mirror that gains one event in each interval, up to the last one.
func movingMirror(every time.Duration, last int64) func(context.Context) (Reached, error) {
	begin := time.Now()
	return func(context.Context) (Reached, error) {
		end := 1 + min(int64(time.Since(begin)/every), last-1)
		return Reached{Position: eventlog.PositionOf(eventlog.Offsets{busy: end})}, nil
	}
}

func TestAMirrorIsWaitedForAsLongAsItMoves(t *testing.T) {
	const patience = time.Minute
	wanted := eventlog.PositionOf(eventlog.Offsets{busy: 60})
	for name, test := range map[string]struct {
		every time.Duration
		last  int64
		stall time.Duration // after how long the wait ends with an error; 0: it does not
	}{
		"slow, but always within the patience": {every: 59 * time.Second, last: 60},
		"does not move":                        {every: time.Hour, last: 1, stall: patience},
		"stops on its way":                     {every: 50 * time.Second, last: 3, stall: 100*time.Second + patience},
		"slower than the patience":             {every: 61 * time.Second, last: 60, stall: patience},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				_, err := await(t.Context(), wanted, patience, movingMirror(test.every, test.last))
				var stalled *StalledError
				if errors.As(err, &stalled) != (test.stall > 0) || stalled == nil && err != nil {
					t.Fatalf("after %v: %v", time.Since(begin), err)
				}
				if took := time.Since(begin); stalled != nil && (took < test.stall || took > test.stall+2*awaitPoll) {
					t.Errorf("given up after %v, want %v", took, test.stall)
				}
			})
		})
	}
}

func TestAWaitSaysWhatTheMirrorHasReached(t *testing.T) {
	err := error(&StalledError{
		Reached: eventlog.PositionOf(eventlog.Offsets{busy: 3}),
		Wanted:  eventlog.PositionOf(eventlog.Offsets{busy: 60}),
		Unmoved: time.Minute,
	})
	const want = `the mirror in ClickHouse is at "o0.3" and has not moved for 1m0s on its way to o0.60: ` +
		"is analytics-projector running? Its log and its /readyz say what is in its way"
	if err.Error() != want {
		t.Errorf("%s, want %s", err, want)
	}
}
