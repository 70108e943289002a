package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that was killed comes back with its open transactions aborted in memory only. Without the
// markers that say so in the log, a reader that waits for the end of such a partition waits for ever;
// and at the next start the same producer's next commit marker would make the aborted records come back
// as committed. So after an unclean end the missing abort markers are written.

// cleanFile says that the last process closed the broker.
func cleanFile(dir string) string { return filepath.Clean(dir) + ".clean" }

// takeClean reports whether the last end was clean (or there was none), and forgets it.
func takeClean(dir string) (bool, error) {
	if dir == "" {
		return true, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("embedded kafka: data directory: %w", err)
	}
	err = os.Remove(cleanFile(dir))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrNotExist):
		return len(entries) == 0, nil
	}
	return false, fmt.Errorf("embedded kafka: %w", err)
}

// tailTimeout bounds the look through the whole log after an unclean end.
const tailTimeout = 2 * time.Minute

type topicPartition struct {
	topic     string
	partition int32
}

// openTransactions are the producers, with their epochs, whose last transaction has no marker.
type openTransactions map[topicPartition]map[int64]int16

// closeTails aborts in the log what the broker aborted in memory when it was loaded.
func closeTails(ctx context.Context, seeds []string) error {
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadUncommitted()))
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer client.Close()
	open, err := findOpen(ctx, client)
	if err != nil {
		return fmt.Errorf("embedded kafka: look for open transactions: %w", err)
	}
	for tp, producers := range open {
		for id, epoch := range producers {
			if err := abort(ctx, client, tp, id, epoch); err != nil {
				return fmt.Errorf("embedded kafka: abort a torn transaction in %s partition %d: %w", tp.topic, tp.partition, err)
			}
		}
	}
	return nil
}

// findOpen reads every partition to its end.
func findOpen(ctx context.Context, client *kgo.Client) (openTransactions, error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(ctx)
	if err != nil {
		return nil, err
	}
	left := map[topicPartition]int64{} // the last offset to see
	from := map[string]map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		start, ok := starts.Lookup(o.Topic, o.Partition)
		if !ok || start.Offset >= o.Offset {
			return
		}
		left[topicPartition{o.Topic, o.Partition}] = o.Offset - 1
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().At(start.Offset)
	})
	client.AddConsumePartitions(from)
	open := openTransactions{}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			tp := topicPartition{rec.Topic, rec.Partition}
			open.see(tp, rec)
			if last, ok := left[tp]; ok && rec.Offset >= last {
				delete(left, tp)
			}
		})
	}
	return open, nil
}

func (o openTransactions) see(tp topicPartition, rec *kgo.Record) {
	switch {
	case rec.Attrs.IsControl():
		delete(o[tp], rec.ProducerID)
	case rec.Attrs.IsTransactional():
		if o[tp] == nil {
			o[tp] = map[int64]int16{}
		}
		o[tp][rec.ProducerID] = rec.ProducerEpoch
	}
}

func abort(ctx context.Context, client *kgo.Client, tp topicPartition, id int64, epoch int16) error {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch, marker.Committed = id, epoch, false
	topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	topic.Topic, topic.Partitions = tp.topic, []int32{tp.partition}
	marker.Topics = append(marker.Topics, topic)
	req.Markers = append(req.Markers, marker)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, m := range resp.Markers {
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
