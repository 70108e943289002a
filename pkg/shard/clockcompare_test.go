package shard

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

func newTestClock(ahead *time.Duration) *shardClock {
	return &shardClock{
		wall: func() time.Time { return time.Now().Add(*ahead) }, limit: 30 * time.Second, moved: make(chan struct{}),
		skew: prometheus.NewGauge(prometheus.GaugeOpts{Name: "skew"}),
	}
}

// compareOver has a clock announce itself with a commit that takes so long, to a broker whose clock is right.
func compareOver(c *shardClock, offset int64, commit, read time.Duration) {
	began := c.wall()
	time.Sleep(commit)
	marker := eventlog.Marker{Offset: offset + 1, AtMicros: time.Now().UnixMicro()}
	time.Sleep(read)
	c.announcedAt(offset, began)
	c.ended(marker)
}

func offBy(c *shardClock) time.Duration {
	_, err := c.now()
	var off *ClockError
	if errors.As(err, &off) {
		return off.AheadBy
	}
	return 0
}

func TestClocksAreComparedWhateverACommitTakes(t *testing.T) {
	for name, test := range map[string]struct{ ahead, commit, read, off time.Duration }{
		"right":                     {0, time.Millisecond, time.Millisecond, 0},
		"right, slow commit":        {0, 50 * time.Second, time.Millisecond, 0},
		"right, read late":          {0, time.Millisecond, time.Hour, 0},
		"a little ahead":            {29 * time.Second, time.Millisecond, time.Millisecond, 0},
		"ahead":                     {time.Minute, 5 * time.Second, time.Second, 55 * time.Second},
		"ahead, and unclear":        {time.Minute, 40 * time.Second, 0, 0},
		"behind":                    {-time.Minute, 5 * time.Second, time.Second, -59 * time.Second},
		"behind, and unclear":       {-time.Minute, 0, 40 * time.Second, 0},
		"behind, and a slow commit": {-time.Minute, 5 * time.Minute, time.Second, -59 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestClock(&test.ahead)
				compareOver(c, 10, test.commit, test.read)
				if got := offBy(c); got != test.off {
					t.Errorf("it is off by %s, want %s", got, test.off)
				}
			})
		})
	}
}

func TestAStepOfTheClockIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := time.Duration(0)
		c := newTestClock(&ahead)
		compareOver(c, 10, 0, 0)
		for _, step := range []time.Duration{time.Hour, -time.Hour, time.Hour} {
			time.Sleep(time.Minute)
			if ahead = step; offBy(c) != step {
				t.Errorf("set by %s, it is off by %s", step, offBy(c))
			}
			if c.fault() != nil {
				t.Error("it cannot be compared again, although it was set")
			}
			if ahead = 0; offBy(c) != 0 || c.offSince.Load() != nil {
				t.Errorf("set back, it is off by %s", offBy(c))
			}
		}
	})
}

// A replica whose clock is off looks again from time to time, because nothing tells it that a broker's clock was set.
func TestAClockThatIsOffIsComparedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := time.Hour
		c := newTestClock(&ahead)
		compareOver(c, 10, 0, 0)
		if c.fault() == nil {
			t.Error("it is off")
		}
		time.Sleep(remeasureAfter + time.Second)
		if err := c.fault(); err != nil {
			t.Errorf("after some time: %v", err)
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	ahead := time.Duration(0)
	c := newTestClock(&ahead)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.await(ctx, 10, c.wall()); !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
}

func TestALogThatEndsInTheFutureIsNamed(t *testing.T) {
	ahead, out := time.Duration(0), bytes.Buffer{}
	c, log := newTestClock(&ahead), slog.New(slog.NewTextHandler(&out, nil))
	c.warnOfFuture(log, time.Now().Add(time.Second).UnixMicro())
	if out.Len() > 0 {
		t.Errorf("of a second it says %s", &out)
	}
	c.warnOfFuture(log, time.Now().Add(time.Hour).UnixMicro())
	if !strings.Contains(out.String(), "its last event is in the future") || !strings.Contains(out.String(), "ahead=59m") {
		t.Errorf("of an hour it says %s", &out)
	}
}
