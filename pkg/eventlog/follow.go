package eventlog

import (
	"context"
	"strconv"
)

// Follower reads committed records as they come, from explicit offsets, until it is closed. It is for one
// goroutine; only Close may be called from another.
type Follower struct {
	reader *reader
}

// Follow starts to read behind the given offsets. A start that the log does not hold is an *OffsetError.
func (c *Client) Follow(from Offsets) (*Follower, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return c.follow(ctx, from, readerOptions{})
}

// FollowInStep is Follow in small bites: of a long log, the partitions are read a little of each in turn, so that
// what comes together happened at about the same time.
func (c *Client) FollowInStep(from Offsets) (*Follower, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return c.follow(ctx, from, readerOptions{partitionBytes: stepPartitionBytes})
}

// FollowAnnouncements follows what shard owners announce, from the oldest that is kept (an hour). The last
// record of a partition is the present announcement of that shard.
func (c *Client) FollowAnnouncements(ctx context.Context, layout Layout) (*Follower, error) {
	tps := make([]TopicPartition, layout.ShardCount)
	for shard := range layout.ShardCount {
		tps[shard] = TopicPartition{TopicShards, shard}
	}
	from, err := c.StartOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	return c.follow(ctx, from, readerOptions{lossy: true}) // the start moves on while we look at it
}

func (c *Client) follow(ctx context.Context, from Offsets, o readerOptions) (*Follower, error) {
	o.metricsName = "follower-" + strconv.FormatInt(c.followers.Add(1), 10)
	r, err := c.newReader(ctx, from, o)
	if err != nil {
		return nil, err
	}
	return &Follower{reader: r}, nil
}

// Poll waits for news. reached is the position of every followed partition after these records; it counts
// transaction markers and aborted records, so Poll may return a new position without records. Headers are left
// out: all that a view folds is in the value, and they are half of what a record costs to read. The slices and
// the map are the caller's. After an error other than the context's the follower is of no more use.
func (f *Follower) Poll(ctx context.Context) (recs []Record, reached Offsets, err error) {
	fetches, err := f.reader.poll(ctx)
	if err != nil {
		return nil, nil, err
	}
	n := 0
	for _, p := range fetches {
		n += len(p.records)
	}
	recs = make([]Record, 0, n)
	for _, p := range fetches {
		for _, kr := range p.records {
			if kr.Attrs.IsControl() {
				continue
			}
			recs = append(recs, fromClientRecord(p.tp, kr))
		}
		f.reader.advance(p)
	}
	return recs, f.reader.positions.Clone(), nil
}

// Close releases the connections and ends a Poll that waits.
func (f *Follower) Close() { f.reader.close() }
