package live

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Limits of reading what the tail has no more.
const (
	// MaxLogReaders is how many requests and streams read older events from Kafka at a time; others wait. Each needs up to
	// about 10 MiB: fetches are of 128 KiB a partition, and the client has the next one ready.
	MaxLogReaders = 4
	// readerWait is how long a request waits for a reader.
	readerWait = 5 * time.Second
	// readerIdle is how long a reader waits for the request that goes on where the one before it ended.
	readerIdle = 15 * time.Second
)

// ErrBusy means that no reader of older events was free for readerWait.
var ErrBusy = errors.New("all readers of older events are in use")

// readers read events from Kafka. To open a consumer takes several round trips, and it fetches more than one request
// answers. So a reader stays open for a while where its request ended, and the next request of the same client goes on
// with what is fetched already. A client that reads the log from its start uses one consumer for all of it.
type readers struct {
	client *eventlog.Client
	slots  chan struct{}
	wait   time.Duration // readerWait, but for tests

	mu     sync.Mutex
	parked []*logReader // oldest first
	closed bool
}

// logReader is a consumer with the events that it has read and that nobody has had yet.
type logReader struct {
	space
	follower *eventlog.Follower
	chosen   []int
	at       vector // up to where events were taken
	fetched  vector // up to where pending goes
	pending  []eventlog.Record
	beyond   []eventlog.Record // pending, but behind the end of the read before
	idle     *time.Timer
}

func newReaders(client *eventlog.Client) *readers {
	return &readers{client: client, slots: make(chan struct{}, MaxLogReaders), wait: readerWait}
}

// open returns a reader of the chosen partitions that stands at a place. It waits until there is one to have.
func (r *readers) open(ctx context.Context, s space, at vector, chosen []int) (*logReader, error) {
	free := time.NewTimer(r.wait)
	defer free.Stop()
	select {
	case r.slots <- struct{}{}:
	case <-free.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l := r.take(at, chosen); l != nil {
		return l, nil
	}
	from := make(eventlog.Offsets, len(chosen))
	for _, i := range chosen {
		from[s.at(i)] = at[i]
	}
	follower, err := r.client.FollowBriefly(ctx, from)
	if err != nil {
		<-r.slots
		return nil, err
	}
	return &logReader{
		space: s, follower: follower, chosen: chosen, at: append(vector{}, at...), fetched: append(vector{}, at...),
	}, nil
}

// take returns the parked reader that stands there, if there is one. Otherwise it makes room for another one.
func (r *readers) take(at vector, chosen []int) *logReader {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, l := range r.parked {
		if l.stands(at, chosen) {
			r.remove(n)
			return l
		}
	}
	if len(r.parked) > 0 && len(r.parked)+len(r.slots) > MaxLogReaders {
		oldest := r.parked[0]
		r.remove(0)
		go oldest.follower.Close() // it may take a moment
	}
	return nil
}

func (r *readers) remove(n int) {
	r.parked[n].idle.Stop()
	r.parked = append(r.parked[:n:n], r.parked[n+1:]...)
}

// park keeps a reader for a while, for whoever goes on there.
func (r *readers) park(l *logReader) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		l.follower.Close()
	} else {
		r.parked = append(r.parked, l)
		l.idle = time.AfterFunc(readerIdle, func() { r.expire(l) })
		r.mu.Unlock()
	}
	<-r.slots
}

func (r *readers) expire(l *logReader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range r.parked {
		if r.parked[n] == l {
			r.remove(n)
			l.follower.Close()
			return
		}
	}
}

// end closes a reader that nobody goes on with.
func (r *readers) end(l *logReader) {
	l.follower.Close()
	<-r.slots
}

// close ends the parked readers. Those in use end when they are parked.
func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for len(r.parked) > 0 {
		r.parked[0].follower.Close()
		r.remove(0)
	}
}

// stands reports whether the reader goes on at a place, with the same partitions.
func (l *logReader) stands(at vector, chosen []int) bool {
	if len(chosen) != len(l.chosen) {
		return false
	}
	for n, i := range chosen {
		if l.chosen[n] != i || l.at[i] != at[i] {
			return false
		}
	}
	return true
}

// read calls take with the events up to end, until it returns false: then the reader stands behind that event. done:
// there are no more up to end.
func (l *logReader) read(
	ctx context.Context, end vector, take func(*eventlog.Record) (more bool),
) (done bool, err error) {
	l.pending, l.beyond = append(l.beyond, l.pending...), nil
	for {
		for n := range l.pending {
			rec := &l.pending[n]
			i, _ := l.index(rec.TopicPartition)
			if rec.Offset >= end[i] { // written since: for the next call
				l.beyond = append(l.beyond, *rec)
				continue
			}
			l.at[i] = rec.Offset + 1
			if !take(rec) {
				l.pending = l.pending[n+1:]
				return false, nil
			}
		}
		l.pending = nil
		for _, i := range l.chosen {
			l.at[i] = max(l.at[i], min(l.fetched[i], end[i]))
		}
		if l.at.reaches(end, l.chosen) {
			return true, nil
		}
		recs, reached, err := l.follower.Poll(ctx)
		if err != nil {
			return false, err
		}
		l.pending = recs
		for tp, offset := range reached {
			if i, ok := l.index(tp); ok {
				l.fetched[i] = offset
			}
		}
	}
}
