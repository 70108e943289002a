package eventlog

import (
	"context"
	"time"
)

const (
	// endInterval is how often an EndWatcher asks where the partitions end.
	endInterval = time.Second
	// endTolerance is how many answers in a row must be too low before an EndWatcher believes them: a broker that has
	// just become the leader of a partition may know its end late.
	endTolerance = 3
)

// EndWatcher asks once a second where partitions end. A follower uses it to know how far behind it is, and to notice
// when a topic was deleted and created again: then a partition ends before an offset that existed earlier.
type EndWatcher struct {
	// Ask is Client.StableOffsets or Client.EndOffsets.
	Ask        func(context.Context, []TopicPartition) (Offsets, error)
	Partitions []TopicPartition
	// Observe gets each answer with the time just before the request. It returns an error when a partition ends before an
	// offset that the caller has read, or before the end in an earlier answer.
	Observe func(end Offsets, asked time.Time) error
	// Failed gets each error of Ask. The error that it returns ends the watch. When it returns nil the watch goes on.
	Failed func(error) error
}

// Run watches until ctx is done, and returns the context's error then. Earlier it returns an error of Failed, or the
// error of Observe once endTolerance answers in a row were too low.
func (w *EndWatcher) Run(ctx context.Context) error {
	tick := time.NewTicker(endInterval)
	defer tick.Stop()
	tooLow := 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		asked := time.Now()
		end, err := w.Ask(ctx, w.Partitions)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if err := w.Failed(err); err != nil {
				return err
			}
			continue
		}
		if err := w.Observe(end, asked); err == nil {
			tooLow = 0
		} else if tooLow++; tooLow == endTolerance {
			return err
		}
	}
}
