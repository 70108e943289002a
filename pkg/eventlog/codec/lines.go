package codec

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// messages makes a list of messages with two allocations, one array of messages and one of pointers to them, instead of
// one for each element. No elements: nil.
func messages[M, T any](list []T, fill func(*M, *T)) []*M {
	if len(list) == 0 {
		return nil
	}
	array, out := make([]M, len(list)), make([]*M, len(list))
	for i := range list {
		fill(&array[i], &list[i])
		out[i] = &array[i]
	}
	return out
}

// values is the inverse of messages. No elements: nil.
func values[M, T any](list []*M, read func(*M) T) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, len(list))
	for i, m := range list {
		out[i] = read(m)
	}
	return out
}

func toLines(lines []order.PlaceLine) []*eventv1.OrderLine {
	return messages(lines, func(m *eventv1.OrderLine, l *order.PlaceLine) {
		m.Sku, m.Quantity, m.UnitPriceMicros = l.SKU, l.Quantity, l.UnitPriceMicros
		if l.Details != nil {
			setDetails(m, l.Details)
		}
	})
}

func fromLines(lines []*eventv1.OrderLine) []order.PlaceLine {
	return values(lines, func(l *eventv1.OrderLine) order.PlaceLine {
		return order.PlaceLine{SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros, Details: detailsOf(l)}
	})
}

func toMetadata(m metadata.Map) []*eventv1.MetadataEntry {
	return messages(m, func(m *eventv1.MetadataEntry, e *metadata.Entry) { m.Key, m.Value = e.Key, e.Value })
}

func fromMetadata(entries []*eventv1.MetadataEntry) metadata.Map {
	return values(entries, func(e *eventv1.MetadataEntry) metadata.Entry {
		return metadata.Entry{Key: e.Key, Value: e.Value}
	})
}

// toMetadataSet makes a message of metadata that is set; nil, where it stays as it is, is nil.
func toMetadataSet(m *metadata.Map) *eventv1.Metadata {
	if m == nil {
		return nil
	}
	return &eventv1.Metadata{Entries: toMetadata(*m)}
}

// fromMetadataSet is the inverse of toMetadataSet.
func fromMetadataSet(m *eventv1.Metadata) *metadata.Map {
	if m == nil {
		return nil
	}
	entries := fromMetadata(m.Entries)
	return &entries
}

func toQuantities(lines []order.LineQuantity) []*eventv1.LineQuantity {
	return messages(lines, func(m *eventv1.LineQuantity, l *order.LineQuantity) {
		m.Sku, m.Quantity, m.Line = l.SKU, l.Quantity, uint32(l.Line)
	})
}

func fromQuantities(lines []*eventv1.LineQuantity) []order.LineQuantity {
	return values(lines, func(l *eventv1.LineQuantity) order.LineQuantity {
		return order.LineQuantity{SKU: l.Sku, Quantity: l.Quantity, Line: int32(l.Line)}
	})
}

// rule has the fields of both order.AllocationRule and inventory.AllocationRule.
type rule[Policy ~int32] struct {
	Policy    Policy
	Locations []string
}

// toRule makes a message of an allocation rule; nil is nil.
func toRule[Policy ~int32](r *rule[Policy]) *eventv1.AllocationRule {
	if r == nil {
		return nil
	}
	return &eventv1.AllocationRule{Policy: eventv1.AllocationPolicy(r.Policy), Locations: r.Locations}
}

// fromRule is the inverse of toRule.
func fromRule[Policy ~int32](m *eventv1.AllocationRule) *rule[Policy] {
	if m == nil {
		return nil
	}
	return &rule[Policy]{Policy: Policy(m.Policy), Locations: m.Locations}
}

// ToOrderRule makes a message of an order's allocation rule; nil is nil.
func ToOrderRule(r *order.AllocationRule) *eventv1.AllocationRule {
	return toRule((*rule[order.AllocationPolicy])(r))
}

func fromOrderRule(m *eventv1.AllocationRule) *order.AllocationRule {
	return (*order.AllocationRule)(fromRule[order.AllocationPolicy](m))
}

func toStockRule(r *inventory.AllocationRule) *eventv1.AllocationRule {
	return toRule((*rule[inventory.AllocationPolicy])(r))
}

// FromStockRule reads an allocation rule for stock, such as one that ToOrderRule made; nil is nil.
func FromStockRule(m *eventv1.AllocationRule) *inventory.AllocationRule {
	return (*inventory.AllocationRule)(fromRule[inventory.AllocationPolicy](m))
}
