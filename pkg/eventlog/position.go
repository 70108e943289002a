package eventlog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxPositionBytes is the largest size of a position's text.
const MaxPositionBytes = 16 << 10

// Position is a place in the two event topics: an exclusive end offset for each partition that matters. For example,
// "o3.1234~i7.88" is offset 1234 of partition 3 of orders.events, and offset 88 of partition 7 of inventory.events. The
// response to a command has the position of its events, and a read can wait until a view has reached it. The zero
// Position is the beginning of the log. A Position is immutable; its methods return new ones.
type Position struct {
	ends []partitionEnd // strictly ascending by key; every end is positive
}

type partitionEnd struct {
	key int64 // topic and partition in one number, see eventKey; its order is that of the text
	end int64
}

// The letters of the topics in a position's text.
const (
	ordersLetter    = 'o'
	inventoryLetter = 'i'
)

// eventKey is the number of an event partition. Those of orders come before those of inventory. ok is false for other
// topics.
func eventKey(tp TopicPartition) (key int64, ok bool) {
	switch tp.Topic {
	case TopicOrders:
		return int64(tp.Partition), true
	case TopicInventory:
		return 1<<32 | int64(tp.Partition), true
	}
	return 0, false
}

func (e partitionEnd) topicPartition() TopicPartition {
	if e.key>>32 == 0 {
		return TopicPartition{TopicOrders, int32(e.key)}
	}
	return TopicPartition{TopicInventory, int32(e.key)}
}

func byKey(a, b partitionEnd) int { return cmp.Compare(a.key, b.key) }

// PositionOf is the position of the offsets in the event topics. Offsets in other topics are ignored.
func PositionOf(offsets Offsets) Position {
	ends := make([]partitionEnd, 0, len(offsets))
	for tp, end := range offsets {
		if key, ok := eventKey(tp); ok && end > 0 {
			ends = append(ends, partitionEnd{key, end})
		}
	}
	slices.SortFunc(ends, byKey)
	return Position{ends}
}

// IsZero reports whether the position is the beginning of the log. Every position covers it.
func (p Position) IsZero() bool { return len(p.ends) == 0 }

// Offsets are the position's ends by partition.
func (p Position) Offsets() Offsets {
	o := make(Offsets, len(p.ends))
	for _, e := range p.ends {
		o[e.topicPartition()] = e.end
	}
	return o
}

// End is the position's end in one partition; 0 when it has none there.
func (p Position) End(tp TopicPartition) int64 {
	key, ok := eventKey(tp)
	if !ok {
		return 0
	}
	i, found := slices.BinarySearchFunc(p.ends, partitionEnd{key: key}, byKey)
	if !found {
		return 0
	}
	return p.ends[i].end
}

// Merge is the smallest position that covers both.
func (p Position) Merge(other Position) Position {
	if len(p.ends) == 0 {
		return other
	}
	if len(other.ends) == 0 {
		return p
	}
	merged := make([]partitionEnd, 0, len(p.ends)+len(other.ends))
	a, b := p.ends, other.ends
	for len(a) > 0 && len(b) > 0 {
		switch c := byKey(a[0], b[0]); {
		case c < 0:
			merged, a = append(merged, a[0]), a[1:]
		case c > 0:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged = append(merged, partitionEnd{a[0].key, max(a[0].end, b[0].end)})
			a, b = a[1:], b[1:]
		}
	}
	return Position{append(append(merged, a...), b...)}
}

// Reaches reports whether p is at least as far as other in every partition.
func (p Position) Reaches(other Position) bool {
	have := p.ends
	for _, want := range other.ends {
		for len(have) > 0 && have[0].key < want.key {
			have = have[1:]
		}
		if len(have) == 0 || have[0].key != want.key || have[0].end < want.end {
			return false
		}
	}
	return true
}

// Equal reports whether both are the same position.
func (p Position) Equal(other Position) bool { return slices.Equal(p.ends, other.ends) }

// String is the position as text, such as "o3.1234~i7.88". The beginning is the empty string.
func (p Position) String() string { return string(p.Append(nil)) }

// Append appends the position's text to b.
func (p Position) Append(b []byte) []byte {
	for i, e := range p.ends {
		if i > 0 {
			b = append(b, '~')
		}
		tp := e.topicPartition()
		letter := byte(ordersLetter)
		if tp.Topic == TopicInventory {
			letter = inventoryLetter
		}
		b = strconv.AppendInt(append(b, letter), int64(tp.Partition), 10)
		b = strconv.AppendInt(append(b, '.'), e.end, 10)
	}
	return b
}

// ParsePosition parses the text of String. It accepts no other form: each position has exactly one text.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	if len(s) > MaxPositionBytes {
		return Position{}, fmt.Errorf("position: %d bytes is over the limit of %d", len(s), MaxPositionBytes)
	}
	ends := make([]partitionEnd, 0, strings.Count(s, "~")+1)
	for entry := range strings.SplitSeq(s, "~") {
		e, err := parseEnd(entry)
		if err != nil {
			return Position{}, err
		}
		if n := len(ends); n > 0 && ends[n-1].key >= e.key {
			return Position{}, fmt.Errorf("position: %q repeats a partition or is out of order", entry)
		}
		ends = append(ends, e)
	}
	return Position{ends}, nil
}

// parseEnd parses the entry of one partition, such as "o3.1234".
func parseEnd(entry string) (partitionEnd, error) {
	bad := func(why string) (partitionEnd, error) {
		return partitionEnd{}, fmt.Errorf("position: %q: %s", entry, why)
	}
	if entry == "" {
		return bad("a part is empty")
	}
	tp := TopicPartition{Topic: TopicOrders}
	switch entry[0] {
	case ordersLetter:
	case inventoryLetter:
		tp.Topic = TopicInventory
	default:
		return bad("it must begin with o or i")
	}
	number, offset, found := strings.Cut(entry[1:], ".")
	if !found {
		return bad("the dot before the offset is missing")
	}
	partition, ok := parseNumber(number)
	if !ok || partition >= MaxPartitionCount {
		return bad("the partition is not a number in range")
	}
	end, ok := parseNumber(offset)
	if !ok || end == 0 || end > maxOffset {
		return bad("the offset is not a number in range")
	}
	tp.Partition = int32(partition)
	key, _ := eventKey(tp)
	return partitionEnd{key, end}, nil
}

// parseNumber parses decimal digits without a sign or leading zeros.
func parseNumber(s string) (int64, bool) {
	if s == "" || len(s) > 1 && s[0] == '0' || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// Of is the position in one topic alone.
func (p Position) Of(topic string) Position {
	var inTopic Position
	for _, e := range p.ends {
		if e.topicPartition().Topic == topic {
			inTopic.ends = append(inTopic.ends, e)
		}
	}
	return inTopic
}
