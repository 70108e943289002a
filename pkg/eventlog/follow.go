package eventlog

import (
	"context"
	"strconv"
)

// Follower reads committed records as they come, from explicit offsets on, until it is closed. It is for one goroutine;
// only Close may be called from another.
type Follower struct {
	reader  *reader
	headers bool                      // records have their headers
	markers map[TopicPartition]Marker // nil: they are not kept
}

// Marker is the end of a transaction in a partition. The broker that leads the partition writes it, with the time of
// its own clock.
type Marker struct{ Offset, AtMicros int64 }

// Follow reads from the given offsets on, and passes quarantined records. An offset that the log does not have is an
// *OffsetError, or a *LogStartError.
func (c *Client) Follow(from Offsets) (*Follower, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return c.follow(ctx, from, readerOptions{})
}

// FollowInterleaved is Follow with small fetches: on a long log it reads a little of each partition in turn, so that
// the records of one Poll happened at about the same time. Unlike ReadMerged it pauses no partition.
func (c *Client) FollowInterleaved(from Offsets) (*Follower, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return c.follow(ctx, from, readerOptions{partitionBytes: smallPartitionBytes})
}

// FollowBriefly is FollowInterleaved for readers that come and go with requests: they have no metrics of their own,
// which would stay for ever.
func (c *Client) FollowBriefly(ctx context.Context, from Offsets) (*Follower, error) {
	r, err := c.newReader(ctx, from, readerOptions{partitionBytes: smallPartitionBytes})
	if err != nil {
		return nil, err
	}
	return &Follower{reader: r}, nil
}

// FollowWhole is FollowInterleaved, and its records have their headers.
func (c *Client) FollowWhole(from Offsets) (*Follower, error) {
	f, err := c.FollowInterleaved(from)
	if err != nil {
		return nil, err
	}
	f.headers = true
	return f, nil
}

// FollowAnnouncements follows what the owners of shards announce, from the oldest announcement that the topic still has
// (it keeps an hour). The last record of a partition is the current announcement of that shard. shards is how many
// partitions to follow: those of a former layout may have been more.
func (c *Client) FollowAnnouncements(ctx context.Context, shards int32) (*Follower, error) {
	tps := make([]TopicPartition, shards)
	for shard := range shards {
		tps[shard] = TopicPartition{TopicShards, shard}
	}
	from, err := c.StartOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	f, err := c.follow(ctx, from, readerOptions{lossy: true}) // brokers may delete the start meanwhile
	if err != nil {
		return nil, err
	}
	f.markers = map[TopicPartition]Marker{}
	return f, nil
}

func (c *Client) follow(ctx context.Context, from Offsets, o readerOptions) (*Follower, error) {
	o.metricsName = "follower-" + strconv.FormatInt(c.followers.Add(1), 10)
	r, err := c.newReader(ctx, from, o)
	if err != nil {
		return nil, err
	}
	return &Follower{reader: r}, nil
}

// Poll waits for records. reached is the offset after these records in every followed partition. Transaction markers
// and aborted records count, so Poll may return new offsets without records. The records have no headers, other than
// those of FollowWhole: views fold values alone, and headers are half of the cost of reading a record. The slices and
// the map belong to the caller. After any error but the context's, close the follower and start a new one.
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
				if f.markers != nil {
					f.markers[p.tp] = Marker{kr.Offset, kr.Timestamp.UnixMicro()}
				}
				continue
			}
			if f.reader.passed.has(p.tp, kr) {
				continue
			}
			recs = append(recs, fromClientRecord(p.tp, kr))
			if f.headers || f.reader.cfg.TraceHeaders {
				recs[len(recs)-1].Headers = fromClientHeaders(kr.Headers)
			}
		}
		f.reader.advance(p)
	}
	return recs, f.reader.reached.Clone(), nil
}

// Reached is the offset after what Poll has returned, in every followed partition: before the first Poll, where it
// begins.
func (f *Follower) Reached() Offsets { return f.reader.reached.Clone() }

// Marker is the last transaction marker that Poll passed in a partition, if it has passed any. Only a follower of
// announcements knows it.
func (f *Follower) Marker(tp TopicPartition) (Marker, bool) {
	m, passed := f.markers[tp]
	return m, passed
}

// Close releases the connections and ends a Poll that waits.
func (f *Follower) Close() { f.reader.close() }
