package schema_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// olderOnly are the versions that are upgraded when an event is read, so that no reader ever sees them.
var olderOnly = []string{"holdfast.return_received.v1"}

// Every event that was ever written is read under its name, in its newest version.
func TestEveryVersionIsReadAsTheNewest(t *testing.T) {
	newest := map[string]int{}
	for _, s := range codectest.Samples(t) {
		name, written := nameOf(t, s.Type)
		newest[name] = max(newest[name], written)
	}
	for _, s := range codectest.Samples(t) {
		want, _ := nameOf(t, s.Type)
		var order eventv1.OrderEvent
		var stock eventv1.InventoryEvent
		name, version := "", 0
		if schema.ReadOrder(s.Value, &order) == nil && order.Change != nil {
			name, version = schema.Name(&order)
		}
		if name != want {
			if err := schema.ReadInventory(s.Value, &stock); err != nil {
				t.Errorf("%s: %v", s.Type, err)
			}
			name, version = schema.Name(&stock)
		}
		if name != want || version != newest[want] {
			t.Errorf("%s is read as version %d of %s", s.Type, version, name)
		}
	}
	for _, old := range olderOnly {
		if name, version := nameOf(t, old); newest[name] <= version {
			t.Errorf("%s has no newer version among the samples", old)
		}
	}
}

func nameOf(t *testing.T, ceType string) (string, int) {
	t.Helper()
	field := strings.Replace(strings.TrimPrefix(ceType, "holdfast."), ".v", "_v", 1)
	return schema.SplitName(field)
}

func TestNamesKeepTheirLetters(t *testing.T) {
	for field, want := range map[string]int{
		"payment_voided": 1, "return_received_v2": 2, "order_placed": 1, "x_v12": 12, "x_version": 1,
	} {
		name, version := schema.SplitName(field)
		if version != want || (want == 1) != (name == field) {
			t.Errorf("%s: version %d of %s", field, version, name)
		}
	}
	if name, version := schema.Name(&eventv1.OrderEvent{}); name != "" || version != 0 {
		t.Errorf("an event without a change is version %d of %q", version, name)
	}
}

// A version that this program does not know is refused, and the error says which program has to be upgraded.
func TestNewerVersionsNameTheProgramThatIsTooOld(t *testing.T) {
	value, err := (&eventv1.OrderEvent{OrderId: "o-1", Meta: &eventv1.Meta{Version: 1}}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	value = protowire.AppendBytes(protowire.AppendTag(value, 999, protowire.BytesType), []byte("what will be"))
	orderErr := schema.ReadOrder(value, &eventv1.OrderEvent{})
	stockErr := schema.ReadInventory(value, &eventv1.InventoryEvent{})
	for _, err := range []error{orderErr, stockErr} {
		if !errors.Is(err, schema.ErrNewer) {
			t.Fatalf("it is %v, want %v", err, schema.ErrNewer)
		}
		for _, want := range []string{"number 999", filepath.Base(os.Args[0])} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
}

// Values without a change, and values that are not Protobuf, were not written by a newer program.
func TestOtherFaultsAreNotNewer(t *testing.T) {
	none := &eventv1.OrderEvent{}
	if err := schema.ReadOrder(nil, none); err != nil || none.Change != nil {
		t.Error(err)
	}
	meta := protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType), nil) // below the first change
	if err := schema.ReadInventory(meta, &eventv1.InventoryEvent{}); err != nil {
		t.Error(err)
	}
	if err := schema.ReadOrder([]byte{0xff}, &eventv1.OrderEvent{}); err == nil || errors.Is(err, schema.ErrNewer) {
		t.Error(err)
	}
}

func TestNewestVersionsAreReadWithoutAllocating(t *testing.T) {
	ev := &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderPlaced{OrderPlaced: &eventv1.OrderPlaced{}}}
	if n := testing.AllocsPerRun(100, func() { schema.UpgradeOrder(ev) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
