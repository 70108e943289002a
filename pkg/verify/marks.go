package verify

import "github.com/holdfast/holdfast/pkg/eventlog"

// marks are how far the auditor is, and what it has counted so far. They are saved with the records.
type marks struct {
	// env and topics are of whose log the records are: its environment, and the IDs of its event topics.
	env    string
	topics []id
	next   eventlog.Offsets
	// tick counts how often everything that was in the log at some moment was folded, at most once a second.
	tick uint64
	// waiting orders wait for stock to answer or to follow; overdue ones do so for too long.
	waiting, overdue int64
	events           int64
	reusedKeys       int64
	checked          []counts // by invariant, in the order of names
	generations      map[eventlog.TopicPartition]uint32
	progress         map[int32]int64
}

type counts struct{ checks, violations int64 }

func (m *marks) code(c *coder) {
	c.text(&m.env)
	list(c, &m.topics, c.id)
	dict(c, (*map[eventlog.TopicPartition]int64)(&m.next), func(tp *eventlog.TopicPartition, offset *int64) {
		c.text(&tp.Topic)
		c.int32(&tp.Partition)
		c.int64(offset)
	})
	c.uint64(&m.tick)
	c.int64s(&m.waiting, &m.overdue, &m.events, &m.reusedKeys)
	list(c, &m.checked, func(n *counts) { c.int64s(&n.checks, &n.violations) })
	dict(c, &m.generations, func(tp *eventlog.TopicPartition, generation *uint32) {
		c.text(&tp.Topic)
		c.int32(&tp.Partition)
		wide := uint64(*generation)
		c.uint64(&wide)
		*generation = uint32(wide)
	})
	dict(c, &m.progress, func(partition *int32, next *int64) {
		c.int32(partition)
		c.int64(next)
	})
}
