package orderview

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The order of the list is part of messages of the API.
func TestStatusesAreThoseOfTheAPI(t *testing.T) {
	want := []string{
		"placed", "reserved", "confirmed", "completed", "rejected", "cancelled", "expired", "on_hold",
	}
	if got := Statuses(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	Statuses()[0] = "spoilt"
	if statuses[0] != "placed" {
		t.Error("a caller changes the list")
	}
}

// A list of all orders goes through the index of each status: an order with another status would be missing in it.
func TestEveryStatusIsListed(t *testing.T) {
	oneof := (&eventv1.OrderEvent{}).ProtoReflect().Descriptor().Oneofs().ByName("change").Fields()
	for i := range oneof.Len() {
		ev := &eventv1.OrderEvent{}
		m := ev.ProtoReflect()
		m.Set(oneof.Get(i), protoreflect.ValueOfMessage(m.NewField(oneof.Get(i)).Message()))
		if status := statusAfter(ev); status != "" && !slices.Contains(statuses, status) {
			t.Errorf("%s leads to %q, which is not in the list of statuses", oneof.Get(i).Name(), status)
		}
	}
}
