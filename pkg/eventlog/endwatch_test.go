package eventlog_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

var (
	errTooLow = errors.New("the end went back")
	errBroker = errors.New("no answer")
)

// endWatch is a watcher of one partition whose ends are scripted. -1 is an error of the broker. Once the script is over
// the context ends.
type endWatch struct {
	script   []int64
	observed []int64
	stopAt   error // what Failed returns
}

func (w *endWatch) run(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began, asked, highest := time.Now(), 0, int64(0)
	watcher := eventlog.EndWatcher{
		Partitions: []eventlog.TopicPartition{orders0},
		Ask: func(_ context.Context, tps []eventlog.TopicPartition) (eventlog.Offsets, error) {
			if asked == len(w.script) {
				cancel()
				return nil, ctx.Err()
			}
			end := w.script[asked]
			asked++
			if end < 0 {
				return nil, errBroker
			}
			return eventlog.Offsets{tps[0]: end}, nil
		},
		Observe: func(end eventlog.Offsets, at time.Time) error {
			if want := began.Add(time.Duration(asked) * time.Second); !at.Equal(want) {
				t.Errorf("answer %d was asked for at %s, want %s", asked, at, want)
			}
			w.observed = append(w.observed, end[orders0])
			if end[orders0] < highest {
				return errTooLow
			}
			highest = end[orders0]
			return nil
		},
		Failed: func(err error) error {
			if !errors.Is(err, errBroker) {
				t.Errorf("failed with %v", err)
			}
			return w.stopAt
		},
	}
	return watcher.Run(ctx)
}

func TestEndWatcher(t *testing.T) {
	for name, tc := range map[string]struct {
		script   []int64
		stopAt   error
		want     error
		observed []int64
	}{
		"a log that grows":           {[]int64{1, 1, 5}, nil, context.Canceled, []int64{1, 1, 5}},
		"a leader that knows late":   {[]int64{5, 3, 4, 5, 4, 4}, nil, context.Canceled, []int64{5, 3, 4, 5, 4, 4}},
		"a topic made again":         {[]int64{5, 0, 0, 1, 9}, nil, errTooLow, []int64{5, 0, 0, 1}},
		"errors between":             {[]int64{5, 0, -1, 0, -1, 0}, nil, errTooLow, []int64{5, 0, 0, 0}},
		"errors that are passed by":  {[]int64{-1, -1, -1, -1, 2}, nil, context.Canceled, []int64{2}},
		"an error that ends a watch": {[]int64{1, -1, 2}, errBroker, errBroker, []int64{1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := endWatch{script: tc.script, stopAt: tc.stopAt}
				if err := w.run(t); !errors.Is(err, tc.want) {
					t.Errorf("it ended with %v, want %v", err, tc.want)
				}
				if !slices.Equal(w.observed, tc.observed) {
					t.Errorf("observed %v, want %v", w.observed, tc.observed)
				}
			})
		})
	}
}
