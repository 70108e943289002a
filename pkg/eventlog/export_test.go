package eventlog

// WaitingPartitions is in how many partitions somebody waits.
func WaitingPartitions(w *Watermark) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting)
}

// UncheckedFollow follows without asking whether the log holds the starts.
func (c *Client) UncheckedFollow(from Offsets) (*Follower, error) {
	r, err := c.openReader(from, readerOptions{})
	if err != nil {
		return nil, err
	}
	return &Follower{reader: r}, nil
}

// Explain is what Ping says of an error.
func (s Security) Explain(err error) error { return s.explain(err) }
