package codec

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Lists are made of one array of messages and one of pointers to them: two allocations, not one an
// element. Empty lists decode as nil.

func toLines(lines []order.PlaceLine) []*eventv1.OrderLine {
	values, out := make([]eventv1.OrderLine, len(lines)), make([]*eventv1.OrderLine, len(lines))
	for i, l := range lines {
		values[i].Sku, values[i].Quantity, values[i].UnitPriceMicros = l.SKU, l.Quantity, l.UnitPriceMicros
		out[i] = &values[i]
	}
	return out
}

func fromLines(lines []*eventv1.OrderLine) []order.PlaceLine {
	if len(lines) == 0 {
		return nil
	}
	out := make([]order.PlaceLine, len(lines))
	for i, l := range lines {
		out[i] = order.PlaceLine{SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
	}
	return out
}

// toReturned and fromReturned carry goods that came back: a list for each condition here, one list with the condition
// on each line in the schema.
func toReturned(resellable, damaged []order.PlaceLine) []*eventv1.ReturnedLine {
	n := len(resellable) + len(damaged)
	values, out := make([]eventv1.ReturnedLine, n), make([]*eventv1.ReturnedLine, n)
	for i := range out {
		v, l := &values[i], (*order.PlaceLine)(nil)
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
	values, out := make([]eventv1.LineQuantity, len(lines)), make([]*eventv1.LineQuantity, len(lines))
	for i, l := range lines {
		values[i].Sku, values[i].Quantity = l.SKU, l.Quantity
		out[i] = &values[i]
	}
	return out
}

func fromQuantities(lines []*eventv1.LineQuantity) []order.LineQuantity {
	if len(lines) == 0 {
		return nil
	}
	out := make([]order.LineQuantity, len(lines))
	for i, l := range lines {
		out[i] = order.LineQuantity{SKU: l.Sku, Quantity: l.Quantity}
	}
	return out
}

func toAmended(lines []order.AmendedLine) []*eventv1.AmendedLine {
	values, out := make([]eventv1.AmendedLine, len(lines)), make([]*eventv1.AmendedLine, len(lines))
	for i, l := range lines {
		v := &values[i]
		v.Line, v.Sku, v.Quantity, v.UnitPriceMicros = uint32(l.Line), l.SKU, l.Quantity, l.UnitPriceMicros
		v.FormerQuantity, v.FormerUnitPriceMicros = l.FormerQuantity, l.FormerUnitPriceMicros
		out[i] = v
	}
	return out
}

func fromAmended(lines []*eventv1.AmendedLine) []order.AmendedLine {
	if len(lines) == 0 {
		return nil
	}
	out := make([]order.AmendedLine, len(lines))
	for i, l := range lines {
		out[i] = order.AmendedLine{
			Line: int32(l.Line), SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			FormerQuantity: l.FormerQuantity, FormerUnitPriceMicros: l.FormerUnitPriceMicros,
		}
	}
	return out
}

func toShort(short []order.ShortLine) []*eventv1.ShortLine {
	values, out := make([]eventv1.ShortLine, len(short)), make([]*eventv1.ShortLine, len(short))
	for i, s := range short {
		v := &values[i]
		v.Sku, v.Requested, v.Available, v.Reason = s.SKU, s.Requested, s.Available, eventv1.RejectionReason(s.Reason)
		out[i] = v
	}
	return out
}

func fromShort(short []*eventv1.ShortLine) []order.ShortLine {
	if len(short) == 0 {
		return nil
	}
	out := make([]order.ShortLine, len(short))
	for i, s := range short {
		out[i] = order.ShortLine{SKU: s.Sku, Requested: s.Requested, Available: s.Available, Reason: int32(s.Reason)}
	}
	return out
}

func toAllocations(allocations []inventory.Allocation) []*eventv1.Allocation {
	if len(allocations) == 0 {
		return nil
	}
	values, out := make([]eventv1.Allocation, len(allocations)), make([]*eventv1.Allocation, len(allocations))
	for i, a := range allocations {
		values[i].Location, values[i].Quantity = a.Location, a.Quantity
		out[i] = &values[i]
	}
	return out
}

func fromAllocations(allocations []*eventv1.Allocation) []inventory.Allocation {
	if len(allocations) == 0 {
		return nil
	}
	out := make([]inventory.Allocation, len(allocations))
	for i, a := range allocations {
		out[i] = inventory.Allocation{Location: a.Location, Quantity: a.Quantity}
	}
	return out
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
	if len(at) == 0 {
		return nil
	}
	out := make([]*eventv1.ReturnedAt, len(at))
	for i, r := range at {
		out[i] = &eventv1.ReturnedAt{Location: r.Location, Restocked: r.Restocked, Damaged: r.Damaged}
	}
	return out
}

// FromReturnedAt is its inverse.
func FromReturnedAt(at []*eventv1.ReturnedAt) []inventory.ReturnedAt {
	if len(at) == 0 {
		return nil
	}
	out := make([]inventory.ReturnedAt, len(at))
	for i, r := range at {
		out[i] = inventory.ReturnedAt{Location: r.Location, Restocked: r.Restocked, Damaged: r.Damaged}
	}
	return out
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
