// Package live tells clients without Kafka what happens: the change feed, and streams of orders and stock. It owns the
// newest events in memory, the reading of older ones, subscriptions, and what becomes of slow clients. It knows nothing
// of HTTP.
package live

import "github.com/holdfast/holdfast/pkg/eventlog"

// space numbers the partitions of both event topics: those of orders come first. Offsets of all of them are a vector.
type space struct{ partitions int32 }

// vector has an offset for each partition of a space.
type vector []int64

// index is the number of a partition; ok is false where the space does not have it.
func (s space) index(tp eventlog.TopicPartition) (i int, ok bool) {
	if tp.Partition < 0 || tp.Partition >= s.partitions {
		return 0, false
	}
	switch tp.Topic {
	case eventlog.TopicOrders:
		return int(tp.Partition), true
	case eventlog.TopicInventory:
		return int(s.partitions + tp.Partition), true
	}
	return 0, false
}

// at is the partition with a number.
func (s space) at(i int) eventlog.TopicPartition {
	if i < int(s.partitions) {
		return eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: int32(i)}
	}
	return eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: int32(i) - s.partitions}
}

func (s space) size() int { return int(2 * s.partitions) }

// vector is a position as a vector. Partitions that the space does not have are left out.
func (s space) vector(p eventlog.Position) vector {
	v := make(vector, s.size())
	for tp, end := range p.Offsets() {
		if i, ok := s.index(tp); ok {
			v[i] = end
		}
	}
	return v
}

// position is a vector as a position.
func (s space) position(v vector) eventlog.Position {
	offsets := make(eventlog.Offsets, len(v))
	for i, end := range v {
		offsets[s.at(i)] = end
	}
	return eventlog.PositionOf(offsets)
}

// reaches reports whether v is at least as far as other in the chosen partitions.
func (v vector) reaches(other vector, chosen []int) bool {
	for _, i := range chosen {
		if v[i] < other[i] {
			return false
		}
	}
	return true
}
