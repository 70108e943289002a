// Package schematest makes events for tests. An event's change is a oneof, which Go code has to name three times; here
// the change is enough.
package schematest

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// OrderEvent is an event with a change, such as &eventv1.OrderPlaced{}. The order ID and the meta are the caller's.
func OrderEvent(change proto.Message) *eventv1.OrderEvent {
	ev := &eventv1.OrderEvent{}
	setChange(ev, change)
	return ev
}

// StockEvent is an event with a change, such as &eventv1.StockReceived{}. The SKU, the meta and the levels are the
// caller's.
func StockEvent(change proto.Message) *eventv1.InventoryEvent {
	ev := &eventv1.InventoryEvent{}
	setChange(ev, change)
	return ev
}

// setChange panics where the event has no such change: the test is wrong then.
func setChange(ev, change proto.Message) {
	m, c := ev.ProtoReflect(), change.ProtoReflect()
	members := m.Descriptor().Oneofs().ByName("change").Fields()
	for i := range members.Len() {
		if member := members.Get(i); member.Message().FullName() == c.Descriptor().FullName() {
			m.Set(member, protoreflect.ValueOfMessage(c))
			return
		}
	}
	panic(fmt.Sprintf("%s has no change %s", m.Descriptor().Name(), c.Descriptor().Name()))
}
