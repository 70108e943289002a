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

// When kfake is killed while transactions are open and then started again, it aborts these transactions in memory, but
// writes no abort marker to the log. Two things go wrong without the markers: a reader that reads such a partition to
// its end waits for ever; and after the next start, the next commit marker of the same producer makes the aborted
// records count as committed. So after a crash this file writes the missing abort markers, before any client of the
// platform starts.

// cleanMarkerPath is a file that exists while no process uses the directory and the last one closed the broker in
// order.
func cleanMarkerPath(dir string) string { return filepath.Clean(dir) + ".clean" }

// consumeCleanMarker reports whether the last process closed the broker in order, or there was none. It deletes the
// marker, so that a crash of this process is noticed by the next one.
func consumeCleanMarker(dir string) (clean bool, err error) {
	if dir == "" {
		return true, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("embedded kafka: data directory: %w", err)
	}
	err = os.Remove(cleanMarkerPath(dir))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrNotExist):
		return len(entries) == 0, nil
	}
	return false, fmt.Errorf("embedded kafka: %w", err)
}

// writeCleanMarker records that the broker was closed in order.
func writeCleanMarker(dir string) error {
	if dir == "" {
		return nil
	}
	return os.WriteFile(cleanMarkerPath(dir), nil, 0o600)
}

// recoveryTimeout bounds the whole recovery after a crash: reading the log's headers and writing the markers.
const recoveryTimeout = 2 * time.Minute

type topicPartition struct {
	topic     string
	partition int32
}

// openTransactions are those of one partition without an end marker: from producer ID to producer epoch.
type openTransactions map[int64]int16

// abortOpenTransactions writes the abort markers that are missing in the log. It derives them from the log alone, so a
// crash in the middle only leaves fewer of them for the next start.
func abortOpenTransactions(ctx context.Context, dir string, seeds []string) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer client.Close()
	open, err := findOpenTransactions(ctx, kadm.NewClient(client), dir)
	if err != nil {
		return fmt.Errorf("embedded kafka: look for open transactions: %w", err)
	}
	for tp, producers := range open {
		for id, epoch := range producers {
			if err := writeAbortMarker(ctx, client, tp, id, epoch); err != nil {
				return fmt.Errorf("embedded kafka: abort a torn transaction in %s partition %d: %w", tp.topic, tp.partition, err)
			}
		}
	}
	return nil
}

// findOpenTransactions reads the batch headers of every partition up to the end offset that the broker reports. When
// the broker loaded the files, it discarded a last batch that was incomplete, so the files may reach further than its
// log.
func findOpenTransactions(
	ctx context.Context, admin *kadm.Client, dir string,
) (map[topicPartition]openTransactions, error) {
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
			continue // the partition is empty and may have no file
		}
		open := openTransactions{}
		if err := readBatches(partitionDir(dir, end.Topic, end.Partition), end.At, open.add); err != nil {
			return nil, fmt.Errorf("%s partition %d: %w", end.Topic, end.Partition, err)
		}
		if len(open) > 0 {
			found[topicPartition{end.Topic, end.Partition}] = open
		}
	}
	return found, nil
}

// add applies the next batch of the partition: a transactional batch opens the producer's transaction, a control batch
// (a commit or abort marker) ends it.
func (o openTransactions) add(b batchHeader) {
	switch {
	case b.control():
		delete(o, b.producerID)
	case b.transactional():
		o[b.producerID] = b.producerEpoch
	}
}

func writeAbortMarker(ctx context.Context, client *kgo.Client, tp topicPartition, id int64, epoch int16) error {
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
