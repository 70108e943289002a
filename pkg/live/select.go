package live

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Filter selects events. The zero value selects all.
type Filter struct {
	// Topic is one of the event topics; empty: both.
	Topic string
	// OrderID and SKU select the events of an order, of an item, or of both.
	OrderID, SKU string
	// Types are names of changes, which are the same in all versions, such as "order_placed"; none: all.
	Types []string
}

// chosen are the partitions that have events of the filter. An order, and an item, has all of its events in one.
func (f *Filter) chosen(s space) []int {
	if f.OrderID == "" && f.SKU == "" {
		all := make([]int, 0, s.size())
		for i := range s.size() {
			if f.Topic == "" || f.Topic == s.at(i).Topic {
				all = append(all, i)
			}
		}
		return all
	}
	var chosen []int
	for _, aggregate := range []struct{ topic, key string }{
		{eventlog.TopicOrders, f.OrderID}, {eventlog.TopicInventory, f.SKU},
	} {
		if aggregate.key == "" || f.Topic != "" && f.Topic != aggregate.topic {
			continue
		}
		partition := eventlog.PartitionFor(aggregate.key, s.partitions)
		i, _ := s.index(eventlog.TopicPartition{Topic: aggregate.topic, Partition: partition})
		chosen = append(chosen, i)
	}
	return chosen
}

// selects reports whether the filter has an event of one of its chosen partitions.
func (f *Filter) selects(rec *eventlog.Record) bool {
	if f.OrderID != "" || f.SKU != "" {
		key := f.OrderID
		if rec.Topic == eventlog.TopicInventory {
			key = f.SKU
		}
		if string(rec.Key) != key {
			return false
		}
	}
	return len(f.Types) == 0 || slices.Contains(f.Types, typeOf(rec))
}

// changes are the fields of the changes in each topic's event.
var changes = map[string]protoreflect.FieldDescriptors{
	eventlog.TopicOrders:    changesOf(&eventv1.OrderEvent{}),
	eventlog.TopicInventory: changesOf(&eventv1.InventoryEvent{}),
}

func changesOf(m protoreflect.ProtoMessage) protoreflect.FieldDescriptors {
	return m.ProtoReflect().Descriptor().Oneofs().ByName("change").Fields()
}

// typeOf is the name of an event's change. It reads the numbers of fields alone, so that events which nobody asked for
// are not decoded.
func typeOf(rec *eventlog.Record) string {
	for value := rec.Value; len(value) > 0; {
		number, _, n := protowire.ConsumeField(value)
		if n < 0 {
			return ""
		}
		if field := changes[rec.Topic].ByNumber(number); field != nil {
			name, _ := schema.SplitName(string(field.Name()))
			return name
		}
		value = value[n:]
	}
	return ""
}

// Types are the names of all changes, sorted.
func Types() []string {
	var names []string
	for _, fields := range changes {
		for i := range fields.Len() {
			name, _ := schema.SplitName(string(fields.Get(i).Name()))
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
