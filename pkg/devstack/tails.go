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

// tailTimeout bounds the look through the log after an unclean end.
const tailTimeout = 2 * time.Minute

type topicPartition struct {
	topic     string
	partition int32
}

// openTransactions are the producers, with their epochs, whose last transaction in a partition has no marker.
type openTransactions map[int64]int16

// closeTails aborts in the log what the broker over that directory aborted in memory when it was loaded. A crash in the
// middle of it leaves fewer for the next time: what is missing is found in the log alone, each time.
func closeTails(ctx context.Context, dir string, seeds []string) error {
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer client.Close()
	open, err := findOpen(ctx, kadm.NewClient(client), dir)
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

// findOpen looks through every partition to its end. The broker has cut off by now what was torn in the middle of a
// batch; its ends say how far it takes the files to be a log.
func findOpen(ctx context.Context, admin *kadm.Client, dir string) (map[topicPartition]openTransactions, error) {
	starts, err := admin.ListStartOffsets(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(starts.Error(), ends.Error()); err != nil {
		return nil, err
	}
	found := map[topicPartition]openTransactions{}
	for _, end := range ends.Offsets().Sorted() {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Offset >= end.At {
			continue // nothing is in it, and there may be no file
		}
		open := openTransactions{}
		if err := readBatches(partitionDir(dir, end.Topic, end.Partition), end.At, open.see); err != nil {
			return nil, fmt.Errorf("%s partition %d: %w", end.Topic, end.Partition, err)
		}
		if len(open) > 0 {
			found[topicPartition{end.Topic, end.Partition}] = open
		}
	}
	return found, nil
}

func (o openTransactions) see(b batchHeader) {
	switch {
	case b.control():
		delete(o, b.producerID)
	case b.transactional():
		o[b.producerID] = b.producerEpoch
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
