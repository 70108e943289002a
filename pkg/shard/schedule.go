package shard

import (
	"container/heap"
	"math"
)

// schedule knows what is due when. A key has one time at most, which can be moved or removed. A key that is removed
// needs no memory.
type schedule[K comparable] struct {
	queue dueQueue[K]
	byKey map[K]*due[K]
}

type due[K comparable] struct {
	key      K
	atMicros int64
	index    int // in the queue
}

func newSchedule[K comparable]() schedule[K] { return schedule[K]{byKey: map[K]*due[K]{}} }

// set makes a key due at a time; 0: never.
func (s *schedule[K]) set(key K, atMicros int64) {
	d, scheduled := s.byKey[key]
	switch {
	case atMicros == 0 && scheduled:
		heap.Remove(&s.queue, d.index)
		delete(s.byKey, key)
	case atMicros == 0:
	case scheduled:
		d.atMicros = atMicros
		heap.Fix(&s.queue, d.index)
	default:
		d = &due[K]{key: key, atMicros: atMicros}
		s.byKey[key] = d
		heap.Push(&s.queue, d)
	}
}

// first returns the key that is due first, if it is due now.
func (s *schedule[K]) first(nowMicros int64) (key K, ok bool) {
	if len(s.queue) == 0 || s.queue[0].atMicros > nowMicros {
		return key, false
	}
	return s.queue[0].key, true
}

// next is when the first key is due; noTime: there is none.
func (s *schedule[K]) next() (atMicros int64) {
	if len(s.queue) == 0 {
		return noTime
	}
	return s.queue[0].atMicros
}

// noTime is later than any time.
const noTime = math.MaxInt64

// dueQueue is a heap by time.
type dueQueue[K comparable] []*due[K]

func (q dueQueue[K]) Len() int           { return len(q) }
func (q dueQueue[K]) Less(i, j int) bool { return q[i].atMicros < q[j].atMicros }
func (q dueQueue[K]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *dueQueue[K]) Push(x any) {
	d := x.(*due[K])
	d.index = len(*q)
	*q = append(*q, d)
}
func (q *dueQueue[K]) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return d
}
