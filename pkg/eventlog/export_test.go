package eventlog

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
