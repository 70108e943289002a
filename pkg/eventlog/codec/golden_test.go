package codec

import (
	"encoding/hex"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The log keeps such bytes for ever. So -update adds files that are missing, and never changes one that exists.
var update = flag.Bool("update", false, "write golden files that are missing")

// golden compares an encoded event with its file, and returns the file's bytes.
func golden(t *testing.T, name, ceType string, value []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name+filepath.Ext(ceType)+".golden")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *update {
		text = []byte(goldenText(ceType, value))
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatalf("%v (a new event needs a golden file: go test -update adds it)", err)
	}
	if string(text) != goldenText(ceType, value) {
		t.Errorf("%s: the log's bytes changed:\n got %s\nwant %s", name, goldenText(ceType, value), text)
	}
	_, hexLines, _ := strings.Cut(string(text), "\n")
	stored, err := hex.DecodeString(strings.ReplaceAll(hexLines, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// goldenText is the CloudEvents type, then the value in hex, 32 bytes a line.
func goldenText(ceType string, value []byte) string {
	lines := []string{ceType}
	for len(value) > 0 {
		n := min(32, len(value))
		lines = append(lines, hex.EncodeToString(value[:n]))
		value = value[n:]
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestGoldenOrderEvents(t *testing.T) {
	for name, newest := range orderSamples {
		samples := append(slices.Clone(olderOrderSamples[name]), newest)
		for i, ev := range samples {
			t.Run(numbered(name, i), func(t *testing.T) {
				m := sampleMeta()
				value, ceType, err := AppendOrder(nil, "o-1", &m, ev)
				if err != nil || ceType != "holdfast."+name+"."+version(name) {
					t.Fatalf("type %s, %v", ceType, err)
				}
				stored := golden(t, numbered(name, i), ceType, value)
				id, gotMeta, got, err := DecodeOrder(stored)
				if err != nil || id != "o-1" || gotMeta != m || !reflect.DeepEqual(got, ev) {
					t.Errorf("decoded %s %+v %+v, %v", id, gotMeta, got, err)
				}
				sameToProtobuf(t, &eventv1.OrderEvent{}, stored, name, i == len(samples)-1)
			})
		}
	}
}

func TestGoldenInventoryEvents(t *testing.T) {
	for name, newest := range inventorySamples {
		samples := append(slices.Clone(olderInventorySamples[name]), newest)
		for i, change := range samples {
			t.Run(numbered(name, i), func(t *testing.T) {
				m := sampleMeta()
				value, ceType, err := AppendInventory(nil, "85123A", &m, sampleEvent(change))
				if err != nil || ceType != "holdfast."+name+".v1" {
					t.Fatalf("type %s, %v", ceType, err)
				}
				stored := golden(t, numbered(name, i), ceType, value)
				sku, gotMeta, got, err := DecodeInventory(stored)
				if err != nil || sku != "85123A" || gotMeta != m || !reflect.DeepEqual(got, sampleEvent(change)) {
					t.Errorf("decoded %s %+v %+v, %v", sku, gotMeta, got, err)
				}
				sameToProtobuf(t, &eventv1.InventoryEvent{}, stored, name, i == len(samples)-1)
			})
		}
	}
}

// A principal changes nothing else of an event. All other samples are of the time before there were principals, and so
// is every log of that time: nobody knows who asked.
func TestGoldenPrincipals(t *testing.T) {
	placed, received := samplePlaced(1), sampleEvent(olderInventorySamples["stock_received"][1])
	m := sampleMeta()
	m.Principal = Principal{Name: "zoë@shop.example", Verified: true}
	value, ceType, err := AppendOrder(nil, "o-1", &m, placed)
	if err != nil {
		t.Fatal(err)
	}
	for _, stored := range [][]byte{golden(t, "principal-order", ceType, value), stored(t, "principal-order.v1")} {
		id, gotMeta, got, err := DecodeOrder(stored)
		if err != nil || id != "o-1" || gotMeta != m || !reflect.DeepEqual(got, placed) {
			t.Errorf("decoded %s %+v %+v, %v", id, gotMeta, got, err)
		}
	}
	m.Principal.Verified = false
	if value, ceType, err = AppendInventory(nil, "85123A", &m, received); err != nil {
		t.Fatal(err)
	}
	sku, gotMeta, change, err := DecodeInventory(golden(t, "principal-stock", ceType, value))
	if err != nil || sku != "85123A" || gotMeta != m || !reflect.DeepEqual(change, received) {
		t.Errorf("decoded %s %+v %+v, %v", sku, gotMeta, change, err)
	}
	m.Principal = Principal{} // the encoder's memory still has the one before
	value, _, err = AppendInventory(nil, "85123A", &m, received)
	if err != nil || goldenText(ceType, value) != goldenText(ceType, golden(t, "stock_received-2", ceType, value)) {
		t.Errorf("%v", err)
	}
}

// version is the version of a change that is written.
func version(name string) string {
	switch name {
	case "return_received", "payment_authorized", "payment_captured", "payment_voided", "payment_refunded":
		return "v3"
	case "order_placed", "amendment_requested", "order_amended", "lines_shipped", "lines_delivered", "lines_cancelled",
		"fulfilment_created", "shipment_reconciled", "return_requested", "return_cancelled", "order_imported",
		"credit_note_imported", "import_requested":
		return "v2"
	}
	return "v1"
}

// oldVersions are the golden files of versions that are no longer written, and what they are read as.
var oldVersions = map[string]order.Event{
	"order_placed.v1":        samplePlaced(0),
	"order_placed-2.v1":      samplePlaced(1),
	"order_placed-3.v1":      samplePlaced(2),
	"amendment_requested.v1": order.AmendmentRequested{Lines: sampleAmended, Reason: "customer called"},
	"order_amended.v1": order.OrderAmended{
		Lines: sampleAmended, Backordered: sampleWaiting[:1], SubtotalMicros: 35_700_000, TotalMicros: 35_700_000,
		VoidedMicros: 1_000_000, RefundDueMicros: 2_220_000, PaymentDueMicros: 7_650_000,
	},
	"return_received.v1":   returnedWithoutNumbers(0, ""),
	"return_received.v2":   returnedWithoutNumbers(0, ""),
	"return_received-2.v2": returnedWithoutNumbers(2_550_000, ""),
	"return_received-3.v2": returnedWithoutNumbers(2_550_000, "north"),
	"return_requested.v1":  order.ReturnRequested{ReturnID: "r-1", Lines: sampleWaiting, Reason: "too big"},
	"return_cancelled.v1":  order.ReturnCancelled{ReturnID: "r-1", Lines: sampleWaiting, Reason: "kept"},
	"lines_shipped.v1": order.LinesShipped{
		FulfilmentID: "f-1", Lines: sampleWaiting, TrackingReference: "1Z999",
	},
	"lines_shipped-2.v1": order.LinesShipped{
		FulfilmentID: "f-1", Lines: sampleWaiting, TrackingReference: "1Z999", UncoveredReason: "paid at the door",
	},
	"lines_delivered.v1":       order.LinesDelivered{FulfilmentID: "f-1", Lines: sampleWaiting},
	"fulfilment_created.v1":    order.FulfilmentCreated{FulfilmentID: "f-1", Lines: sampleWaiting},
	"shipment_reconciled.v1":   order.ShipmentReconciled{Lines: sampleWaiting},
	"shipment_reconciled-2.v1": order.ShipmentReconciled{FulfilmentID: "reconciled-7", Lines: sampleWaiting},
	"lines_cancelled.v1": order.LinesCancelled{
		Lines: []order.CancelledLine{
			{SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000}, {SKU: "22423", Quantity: 1, UnitPriceMicros: 12_750_000},
		},
		Reason: "sold out", SubtotalMicros: 9_115_000, TotalMicros: 9_120_000, VoidedMicros: 1_000_000,
		RefundDueMicros: 2_220_000,
	},
	"payment_authorized.v1": order.PaymentAuthorized{AmountMicros: 28_050_000, Reference: "auth 1"},
	"payment_captured.v1":   order.PaymentCaptured{AmountMicros: 8_050_000, Reference: "cap 1"},
	"payment_captured-2.v1": order.PaymentCaptured{
		AmountMicros: 8_050_000, Reference: "cap 1", UnvoidedMicros: 3_050_000, RefundDueMicros: 2_050_000,
	},
	"payment_voided.v1": order.PaymentVoided{
		AmountMicros: 20_000_000, Reference: "void 1", Reason: "smaller order",
	},
	"payment_refunded.v1":       order.PaymentRefunded{AmountMicros: 8_050_000, Reference: "refund 1", Reason: "broken"},
	"order_imported.v1":         sampleDocument(order.KindImportedOrder, "536365", 0),
	"order_imported-2.v1":       sampleDocument(order.KindImportedOrder, "536365", 1),
	"credit_note_imported.v1":   sampleDocument(order.KindCreditNote, "C536379", 0),
	"credit_note_imported-2.v1": sampleDocument(order.KindCreditNote, "C536379", 1),
	"import_requested.v1":       order.ImportRequested{Document: sampleDocument(order.KindCreditNote, "C536379", 0)},
	"import_requested-2.v1":     order.ImportRequested{Document: sampleDocument(order.KindCreditNote, "C536379", 1)},
	"payment_authorized.v2": order.PaymentAuthorized{
		AmountMicros: 28_050_000, Reference: "auth 1", ProviderEventID: "evt 1", MatchedMicros: 8_050_000,
		VoidedMicros: 1_050_000,
	},
	"payment_captured.v2": order.PaymentCaptured{
		AmountMicros: 8_050_000, Reference: "cap 1", ProviderEventID: "evt 2", UnvoidedMicros: 3_050_000,
		RefundDueMicros: 2_050_000, UnmatchedMicros: 1_050_000,
	},
	"payment_voided.v2": order.PaymentVoided{
		AmountMicros: 20_000_000, Reference: "void 1", ProviderEventID: "evt 3", Reason: "smaller order",
		UnmatchedMicros: 1_000_000,
	},
	"payment_refunded.v2": order.PaymentRefunded{
		AmountMicros: 8_050_000, Reference: "refund 1", ProviderEventID: "evt 4", Reason: "broken",
		GoodwillMicros: 1_050_000, UnmatchedMicros: 2_050_000, MatchedMicros: 3_050_000,
	},
}

// returnedWithoutNumbers is a return of before lines had numbers.
func returnedWithoutNumbers(voidedMicros int64, location string) order.ReturnReceived {
	return order.ReturnReceived{
		ReturnID: "r-1", Lines: []order.ReceivedLine{
			{SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000, Condition: order.Resellable},
			{SKU: "22423", Quantity: 1, UnitPriceMicros: 12_750_000, Condition: order.Damaged},
		},
		RefundDueMicros: 12_750_000, VoidedMicros: voidedMicros, Location: location,
	}
}

// A version that is no longer written is read for ever, as the newest version.
func TestOldVersionsAreReadAsTheNewest(t *testing.T) {
	for file, want := range oldVersions {
		m := sampleMeta()
		id, gotMeta, got, err := DecodeOrder(stored(t, file))
		if err != nil || id != "o-1" || gotMeta != m || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: decoded %s %+v %+v, %v", file, id, gotMeta, got, err)
		}
	}
}

// stored is what a golden file has.
func stored(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file+".golden"))
	if err != nil {
		t.Fatal(err)
	}
	_, hexLines, _ := strings.Cut(string(text), "\n")
	value, err := hex.DecodeString(strings.ReplaceAll(hexLines, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// numbered names a change's sample: the first one plainly, the others by their number.
func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(i+1)
}

// sameToProtobuf checks that the standard implementation reads the bytes, knows every field, finds the
// change under its name, and sees no field of a newest sample unset.
func sameToProtobuf(t *testing.T, into proto.Message, value []byte, name string, newest bool) {
	t.Helper()
	if err := proto.Unmarshal(value, into); err != nil {
		t.Fatal(err)
	}
	m := into.ProtoReflect()
	change := m.WhichOneof(m.Descriptor().Oneofs().ByName("change"))
	if v := version(name); v != "v1" {
		name += "_" + v
	}
	if change == nil || string(change.Name()) != name || len(m.GetUnknown()) > 0 {
		t.Fatalf("Protobuf reads %v", into)
	}
	for _, message := range []protoreflect.Message{m, m.Get(change).Message()} {
		fields := message.Descriptor().Fields()
		for i := range fields.Len() {
			if f := fields.Get(i); newest && f.ContainingOneof() == nil && !message.Has(f) {
				t.Errorf("the sample leaves %s unset", f.FullName())
			}
		}
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(into)
	if err != nil || len(again) != len(value) {
		t.Errorf("Protobuf writes %d bytes instead of %d, %v", len(again), len(value), err)
	}
}

// Every change of the schema has a sample, and with it a golden file.
func TestEveryChangeHasASample(t *testing.T) {
	versions := 0
	check := func(m proto.Message, has func(name string) bool, samples int) {
		members := m.ProtoReflect().Descriptor().Oneofs().ByName("change").Fields()
		names := map[string]bool{}
		for i := range members.Len() {
			name, _ := schema.SplitName(string(members.Get(i).Name()))
			if names[name] = true; !has(name) {
				t.Errorf("%s has no sample", name)
			}
		}
		versions += members.Len() - len(names)
		if len(names) != samples {
			t.Errorf("%d samples of %d changes", samples, len(names))
		}
	}
	check(&eventv1.OrderEvent{}, func(name string) bool { return orderSamples[name] != nil }, len(orderSamples))
	check(&eventv1.InventoryEvent{}, func(name string) bool { return inventorySamples[name] != nil },
		len(inventorySamples))
	files, err := filepath.Glob("testdata/*.golden")
	samples := len(orderSamples) + len(inventorySamples) + len(oldVersions)
	for _, older := range olderOrderSamples {
		samples += len(older)
	}
	for _, older := range olderInventorySamples {
		samples += len(older)
	}
	samples += 3 // of TestGoldenPrincipals
	if err != nil || len(files) != samples || len(oldVersions) < versions {
		t.Errorf("%d golden files, %v", len(files), err)
	}
}
