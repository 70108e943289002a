package codec

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// messages makes a list of messages: one array of them and one of pointers to it, two allocations and not one an
// element. None are nil, here and in values.
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

// values makes a list of what messages carry.
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
	})
}

func fromLines(lines []*eventv1.OrderLine) []order.PlaceLine {
	return values(lines, func(l *eventv1.OrderLine) order.PlaceLine {
		return order.PlaceLine{SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
	})
}

// toReturned and fromReturned carry goods that came back: a list for each condition here, one list with the condition
// on each line in the schema.
func toReturned(resellable, damaged []order.PlaceLine) []*eventv1.ReturnedLine {
	n := len(resellable) + len(damaged)
	array, out := make([]eventv1.ReturnedLine, n), make([]*eventv1.ReturnedLine, n)
	for i := range out {
		v, l := &array[i], (*order.PlaceLine)(nil)
		if i < len(resellable) {
			l, v.Condition = &resellable[i], eventv1.Condition_CONDITION_RESELLABLE
		} else {
			l, v.Condition = &damaged[i-len(resellable)], eventv1.Condition_CONDITION_DAMAGED
		}
		v.Sku, v.Quantity, v.UnitPriceMicros = l.SKU, l.Quantity, l.UnitPriceMicros
		out[i] = v
	}
	return out
}

// fromReturned returns nil for a condition that is not known.
func fromReturned(p *eventv1.ReturnReceivedV2) order.Event {
	e := order.ReturnReceived{ReturnID: p.ReturnId, RefundDueMicros: p.RefundDueMicros, VoidedMicros: p.VoidedMicros, Location: p.Location}
	for _, l := range p.Lines {
		line := order.PlaceLine{SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
		switch l.Condition {
		case eventv1.Condition_CONDITION_RESELLABLE:
			e.Resellable = append(e.Resellable, line)
		case eventv1.Condition_CONDITION_DAMAGED:
			e.Damaged = append(e.Damaged, line)
		default:
			return nil
		}
	}
	return e
}

func toQuantities(lines []order.LineQuantity) []*eventv1.LineQuantity {
	return messages(lines, func(m *eventv1.LineQuantity, l *order.LineQuantity) {
		m.Sku, m.Quantity = l.SKU, l.Quantity
	})
}

func fromQuantities(lines []*eventv1.LineQuantity) []order.LineQuantity {
	return values(lines, func(l *eventv1.LineQuantity) order.LineQuantity {
		return order.LineQuantity{SKU: l.Sku, Quantity: l.Quantity}
	})
}

func toAmended(lines []order.AmendedLine) []*eventv1.AmendedLine {
	return messages(lines, func(m *eventv1.AmendedLine, l *order.AmendedLine) {
		m.Line, m.Sku, m.Quantity, m.UnitPriceMicros = uint32(l.Line), l.SKU, l.Quantity, l.UnitPriceMicros
		m.FormerQuantity, m.FormerUnitPriceMicros = l.FormerQuantity, l.FormerUnitPriceMicros
	})
}

func fromAmended(lines []*eventv1.AmendedLine) []order.AmendedLine {
	return values(lines, func(l *eventv1.AmendedLine) order.AmendedLine {
		return order.AmendedLine{
			Line: int32(l.Line), SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			FormerQuantity: l.FormerQuantity, FormerUnitPriceMicros: l.FormerUnitPriceMicros,
		}
	})
}

func toShort(short []order.ShortLine) []*eventv1.ShortLine {
	return messages(short, func(m *eventv1.ShortLine, s *order.ShortLine) {
		m.Sku, m.Requested, m.Available, m.Reason = s.SKU, s.Requested, s.Available, eventv1.RejectionReason(s.Reason)
	})
}

func fromShort(short []*eventv1.ShortLine) []order.ShortLine {
	return values(short, func(s *eventv1.ShortLine) order.ShortLine {
		return order.ShortLine{SKU: s.Sku, Requested: s.Requested, Available: s.Available, Reason: int32(s.Reason)}
	})
}

func toAllocations(allocations []inventory.Allocation) []*eventv1.Allocation {
	return messages(allocations, func(m *eventv1.Allocation, a *inventory.Allocation) {
		m.Location, m.Quantity = a.Location, a.Quantity
	})
}

func fromAllocations(allocations []*eventv1.Allocation) []inventory.Allocation {
	return values(allocations, func(a *eventv1.Allocation) inventory.Allocation {
		return inventory.Allocation{Location: a.Location, Quantity: a.Quantity}
	})
}

// ToOrderRule and its like carry an allocation rule between the domain and the schema; none is nil in both.
func ToOrderRule(rule *order.AllocationRule) *eventv1.AllocationRule {
	if rule == nil {
		return nil
	}
	return &eventv1.AllocationRule{Policy: eventv1.AllocationPolicy(rule.Policy), Locations: rule.Locations}
}

func fromOrderRule(rule *eventv1.AllocationRule) *order.AllocationRule {
	if rule == nil {
		return nil
	}
	return &order.AllocationRule{Policy: order.AllocationPolicy(rule.Policy), Locations: rule.Locations}
}

func toStockRule(rule *inventory.AllocationRule) *eventv1.AllocationRule {
	if rule == nil {
		return nil
	}
	return &eventv1.AllocationRule{Policy: eventv1.AllocationPolicy(rule.Policy), Locations: rule.Locations}
}

// FromStockRule reads what ToOrderRule made, for stock.
func FromStockRule(rule *eventv1.AllocationRule) *inventory.AllocationRule {
	if rule == nil {
		return nil
	}
	return &inventory.AllocationRule{Policy: inventory.AllocationPolicy(rule.Policy), Locations: rule.Locations}
}

// ToReturnedAt and FromReturnedAt carry what came back to a location that was named for it, for stock.
func ToReturnedAt(at []inventory.ReturnedAt) []*eventv1.ReturnedAt {
	return messages(at, func(m *eventv1.ReturnedAt, r *inventory.ReturnedAt) {
		m.Location, m.Restocked, m.Damaged = r.Location, r.Restocked, r.Damaged
	})
}

// FromReturnedAt is its inverse.
func FromReturnedAt(at []*eventv1.ReturnedAt) []inventory.ReturnedAt {
	return values(at, func(r *eventv1.ReturnedAt) inventory.ReturnedAt {
		return inventory.ReturnedAt{Location: r.Location, Restocked: r.Restocked, Damaged: r.Damaged}
	})
}

func fillLevel(dst *eventv1.Level, l *inventory.Level) {
	dst.OnHand, dst.Available, dst.Reserved, dst.Committed = l.OnHand, l.Available, l.Reserved, l.Committed
	dst.SafetyStock, dst.Damaged, dst.QualityControl, dst.Incoming = l.SafetyStock, l.Damaged, l.QualityControl, l.Incoming
}

func readLevel(l *eventv1.Level) inventory.Level {
	return inventory.Level{
		OnHand: l.OnHand, Available: l.Available, Reserved: l.Reserved, Committed: l.Committed,
		SafetyStock: l.SafetyStock, Damaged: l.Damaged, QualityControl: l.QualityControl, Incoming: l.Incoming,
	}
}

// locationScratch is the memory of a list of locations, used again and again.
type locationScratch struct {
	values []locationValue
	out    []*eventv1.LocationLevel
}

type locationValue struct {
	location eventv1.LocationLevel
	level    eventv1.Level
}

// fill returns the locations as messages, until the next fill.
func (s *locationScratch) fill(locations []inventory.LocationLevel) []*eventv1.LocationLevel {
	if len(locations) == 0 {
		return nil
	}
	if cap(s.values) < len(locations) {
		s.values = make([]locationValue, len(locations))
	}
	s.out = s.out[:0]
	for i := range locations {
		v := &s.values[:len(locations)][i]
		fillLevel(&v.level, &locations[i].Level)
		v.location.Location, v.location.Level = locations[i].Location, &v.level
		s.out = append(s.out, &v.location)
	}
	return s.out
}

func fromLocations(locations []*eventv1.LocationLevel) ([]inventory.LocationLevel, error) {
	if len(locations) == 0 {
		return nil, nil
	}
	out := make([]inventory.LocationLevel, len(locations))
	for i, l := range locations {
		if l.Level == nil {
			return nil, incomplete("location", "without its level")
		}
		out[i] = inventory.LocationLevel{Location: l.Location, Level: readLevel(l.Level)}
	}
	return out, nil
}
