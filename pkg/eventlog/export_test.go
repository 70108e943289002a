package eventlog

import "testing"

// WaitingPartitions is the number of partitions with waiters.
func WaitingPartitions(w *Watermark) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting)
}

// UncheckedFollow follows without checking that the log has the starts.
func (c *Client) UncheckedFollow(from Offsets) (*Follower, error) {
	r, err := c.openReader(from, readerOptions{})
	if err != nil {
		return nil, err
	}
	return &Follower{reader: r}, nil
}

// Explain is what Ping adds to an error.
func (s Security) Explain(err error) error { return s.explain(err) }

// LeaveOpen produces the records in a transaction that it does not end, and closes the writer.
func (w *Writer) LeaveOpen(t testing.TB, recs ...*Record) {
	t.Helper()
	producer := w.producers[w.next]
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	w.fill(recs)
	if err := w.produce(producer); err != nil {
		t.Fatal(err)
	}
	w.Close()
}

// ExpectEnd makes the writer believe that a partition ends there.
func (w *Writer) ExpectEnd(tp TopicPartition, end int64) { w.guard.partition(tp).next = end }
