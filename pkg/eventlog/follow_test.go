package eventlog_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestALogThatLostItsStartWhileItIsFollowed(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 1, 1)
	w := p.writer(t, 0)
	for range 3 {
		mustCommit(t, w, order(0, "x"))
	}
	// Without the check of the starts, as if records were deleted between the check and the fetch.
	f, err := p.UncheckedFollow(eventlog.Offsets{orders0: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, _, err = f.Poll(logtest.Context(t))
	var offsetErr *eventlog.OffsetError
	if !errors.As(err, &offsetErr) || offsetErr.TopicPartition != orders0 || offsetErr.Offset != 100 {
		t.Errorf("poll: %v", err)
	}
}

func TestFollowerSeesRecordsAndMarkers(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "before"))
	p.awaitEnd(t, orders0, 2)
	f, err := p.Follow(eventlog.Offsets{orders0: 2, stock0: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mustCommit(t, w, order(0, "a"), stock(0, "b"))
	cl := p.transactional(t, "other")
	p.begin(t, cl, "aborted")
	if err := cl.EndTransaction(logtest.Context(t), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	var got []string
	// The new records in orders0 are: a, its marker, aborted, its marker.
	want := eventlog.Offsets{orders0: 6, stock0: 2}
	for reached := (eventlog.Offsets{}); !reached.Reaches(want); {
		var recs []eventlog.Record
		if recs, reached, err = f.Poll(logtest.Context(t)); err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			got = append(got, string(r.Value))
			if reached[r.TopicPartition] <= r.Offset {
				t.Errorf("reached %v with a record at %d", reached, r.Offset)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("followed %v", got)
	}
	cancelled, cancel := context.WithCancel(logtest.Context(t))
	cancel()
	if _, _, err := f.Poll(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled poll: %v", err)
	}
}

func TestFollowAnnouncements(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 2)
	writers := []*eventlog.Writer{p.writer(t, 0), p.writer(t, 1)}
	for _, value := range []string{"first", "second"} {
		for shard, w := range writers {
			mustCommit(t, w, record(eventlog.TopicShards, int32(shard), value))
		}
	}
	f, err := p.FollowAnnouncements(logtest.Context(t), p.layout.ShardCount)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	last := make(map[int32]string)
	for last[0] != "second" || last[1] != "second" {
		recs, _, err := f.Poll(logtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			last[r.Partition] = string(r.Value)
		}
	}
}
