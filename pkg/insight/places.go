package insight

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Interval are the events of a partition from one offset up to another, which is excluded.
type Interval struct {
	eventlog.TopicPartition
	From, UpTo int64
}

// perPartition is a number for each partition of a topic: an array in SQL. A condition that looks numbers up costs a
// fraction of one with an OR for each partition.
type perPartition []int64

// at is the number of the partition in a column. ClickHouse counts from 1, and takes 0 for one that is not there.
func (n perPartition) at(column string) string {
	texts := make([]string, len(n))
	for i, number := range n {
		texts[i] = fmt.Sprint(number)
	}
	return fmt.Sprintf("[%s][%s + 1]", strings.Join(texts, ", "), column)
}

// byTopic are the numbers of intervals by topic, in the order of their names.
func byTopic(intervals []Interval, number func(Interval) int64) iter.Seq2[string, perPartition] {
	topics := map[string]perPartition{}
	for _, i := range intervals {
		numbers := topics[i.Topic]
		if missing := int(i.Partition) + 1 - len(numbers); missing > 0 {
			numbers = append(numbers, make(perPartition, missing)...)
		}
		numbers[i.Partition] = number(i)
		topics[i.Topic] = numbers
	}
	return func(yield func(string, perPartition) bool) {
		for _, topic := range slices.Sorted(maps.Keys(topics)) {
			if !yield(topic, topics[topic]) {
				return
			}
		}
	}
}

// within is the condition for the rows of a source that are of these intervals; empty without any. The lowest and the
// highest offset stand for themselves, too, because the index of the table knows them.
func within(intervals []Interval) string {
	ends := maps.Collect(byTopic(intervals, func(i Interval) int64 { return i.UpTo }))
	lowest := map[string]int64{}
	for _, i := range intervals {
		if first, known := lowest[i.Topic]; !known || i.From < first {
			lowest[i.Topic] = i.From
		}
	}
	var conditions []string
	for topic, from := range byTopic(intervals, func(i Interval) int64 { return i.From }) {
		upTo := ends[topic]
		conditions = append(conditions, fmt.Sprintf(
			"topic = %s AND offset >= %d AND offset < %d AND offset >= %s AND offset < %s",
			clickhouse.Literals(topic), lowest[topic], slices.Max(upTo), from.at("partition"), upTo.at("partition")))
	}
	if len(conditions) == 0 {
		return ""
	}
	return "(" + strings.Join(conditions, ") OR (") + ")"
}
