package availability

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/inventory/inventorytest"
	"github.com/holdfast/holdfast/pkg/limits"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// item is the state of an item as the rules have it, and the fold of the same events.
type item struct {
	state        inventory.Item
	reservations map[string]inventory.Reservation
	references   map[string]string // of transfers that have left
	fold         *fold
	offset       int64
}

// run lets the rules decide a command, and folds the events. A refused command has none. What is shown changes with
// the version that the rules say clients see.
func (i *item) run(t *rapid.T, cmd inventory.Command) {
	step, _ := cmd.(inventory.SetReservation)
	events, err := inventory.Decide(i.state, i.reservations[step.OrderID], cmd)
	if err != nil {
		return
	}
	i.follow(t, step.OrderID, events)
	i.follow(t, "", inventorytest.Shortfall(i.state, maps.Values(i.reservations)))
	i.checkEquation(t)
}

// follow folds the events of a decision about an order, or about none.
func (i *item) follow(t *rapid.T, orderID string, events []inventory.Event) {
	for _, ev := range events {
		order := orderID
		switch c := ev.Change.(type) {
		case inventory.BackorderFilled:
			order = c.Step.OrderID
		case inventory.ReservationFellShort:
			order = c.Step.OrderID
		}
		if shipped, ok := ev.Change.(inventory.TransferShipped); ok {
			i.references[shipped.TransferID] = shipped.Reference
		}
		i.state, i.reservations[order] = inventory.Evolve(i.state, i.reservations[order], ev)
		meta := &codec.Meta{Version: i.state.Version, OccurredAtMicros: i.offset}
		value, _, err := codec.AppendInventory(nil, "A", meta, ev)
		if err != nil {
			t.Fatal(err)
		}
		var before []byte
		if row := i.fold.rows["A"]; row != nil {
			before = shown(row)
		}
		row, err := i.fold.apply(&eventlog.Record{Offset: i.offset, Value: value})
		if err != nil {
			t.Fatal(err)
		}
		if problem := differs(before, row, ev.Change, i.state.VisibleVersion); problem != "" {
			t.Fatal(problem)
		}
		i.offset++
	}
}

// checkEquation checks the equation of stock in the answer of the API and in the row of the topic, for each location
// and for their sum. What is lacking has an owner who waits for it, unless nobody was promised it.
func (i *item) checkEquation(t *rapid.T) {
	row := i.fold.rows["A"]
	if row == nil {
		return
	}
	type level struct {
		Location                                             string
		Available, Backordered, Reserved, Committed, Damaged int64
		OnHand                                               int64 `json:"on_hand"`
		SafetyStock                                          int64 `json:"safety_stock"`
		QualityControl                                       int64 `json:"quality_control"`
	}
	var answer struct {
		level
		Locations  []level
		Backorders []struct {
			Location string
			Quantity int64
		}
	}
	if err := json.Unmarshal(renderStock(render(row), "", row), &answer); err != nil {
		t.Fatal(err)
	}
	for _, l := range append(answer.Locations, answer.level) {
		sum := l.Available - l.Backordered + l.Reserved + l.Committed + l.SafetyStock + l.Damaged + l.QualityControl
		if l.OnHand != sum || l.Available < 0 || l.Backordered < 0 || l.OnHand < 0 {
			t.Fatalf("%+v", l)
		}
	}
	waits := map[string]int64{}
	for _, b := range answer.Backorders {
		waits[b.Location] += b.Quantity
	}
	for k, l := range answer.Locations {
		if waits[l.Location] != l.Backordered && waits[l.Location] != l.Reserved+l.Committed {
			t.Fatalf("orders wait for %d at %+v", waits[l.Location], l)
		}
		if at := row.Locations[k].Level; at.GetAvailable() != l.Available-l.Backordered {
			t.Fatalf("the row has %v, the answer %+v", at, l)
		}
	}
}

// differs compares what is shown before an event, and of the row after it. version is the one that the rules say
// clients see; "" for nothing wrong.
func differs(before []byte, row *eventv1.AvailabilityRow, c inventory.Change, version uint64) string {
	after, seen := shown(row), inventory.Visible(c)
	if changed := string(before) != string(after); changed != seen || row.VisibleVersion != version {
		return fmt.Sprintf("clients see %T: %t; version %d, want %d; shown are\n%s\n%s",
			c, seen, row.VisibleVersion, version, before, after)
	}
	return ""
}

// The list of events that no client sees (inventory.Visible) is that of the view, for all events of the schema.
func TestClientsAreShownWhatTheRulesSayTheySee(t *testing.T) {
	hidden := 0
	for _, s := range codectest.Samples(t) {
		sku, m, decided, err := codec.DecodeInventory(s.Value)
		if err != nil {
			continue // of orders
		}
		var ev eventv1.InventoryEvent
		if err := ev.UnmarshalVT(s.Value); err != nil {
			t.Fatal(err)
		}
		f := newFold()
		f.rows[sku] = &eventv1.AvailabilityRow{
			Sku: sku, Version: m.Version - 1, VisibleVersion: 1, SourceOffset: -1,
			Total: ev.Total, Locations: ev.Locations, // samples that move nothing state levels too
		}
		before := shown(f.rows[sku])
		row, err := f.apply(&eventlog.Record{Value: s.Value})
		if err != nil {
			t.Fatal(err)
		}
		version := uint64(1)
		if inventory.Visible(decided.Change) {
			version = m.Version
		} else {
			hidden++
		}
		if problem := differs(before, row, decided.Change, version); problem != "" {
			t.Error(s.Type, problem)
		}
	}
	if hidden == 0 {
		t.Error("no event is hidden")
	}
}

func drawStockCommand(t *rapid.T, item inventory.Item) inventory.Command {
	if rapid.Bool().Draw(t, "by a client") {
		return inventorytest.Command(t, item)
	}
	ids := []string{"o-1", "o-2", "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11", "urn:uuid:5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11"}
	order := rapid.SampledFrom(ids).Draw(t, "order")
	c := inventory.SetReservation{
		OrderID: order, PlacedEventID: inventory.ID{rapid.SampledFrom([]byte{1, 1, 1, 2}).Draw(t, "placed")},
		Version: rapid.Uint64Range(1, 40).Draw(t, "version"), Reserved: rapid.Int64Range(0, 9).Draw(t, "reserved"),
	}
	if rapid.Bool().Draw(t, "committed") {
		c.Reserved, c.Committed = 0, c.Reserved
	}
	c.Fulfilled = rapid.SampledFrom([]int64{0, 0, 1, 4}).Draw(t, "fulfilled")
	return c
}

// The metadata and the open work of a row are equal to what the rules keep of it.
func TestOpenWorkIsThatOfTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := &item{reservations: map[string]inventory.Reservation{}, references: map[string]string{}, fold: newFold()}
		i.run(t, inventory.RegisterItem{Description: "a"})
		i.run(t, inventory.SetBackorderLimit{Limit: 15})
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			i.run(t, drawStockCommand(t, i.state))
			row := i.fold.rows["A"]
			var got, want strings.Builder
			for _, x := range row.Metadata {
				fmt.Fprintln(&got, x.Key, x.Value)
			}
			for _, x := range i.state.Metadata {
				fmt.Fprintln(&want, x.Key, x.Value)
			}
			for _, x := range row.Transfers {
				fmt.Fprintln(&got, x.TransferId, locationName(row, x.FromLocation), locationName(row, x.ToLocation), x.Remaining)
				if want := i.references[x.TransferId]; x.Reference != want {
					t.Fatalf("transfer %s has the reference %q, want %q", x.TransferId, x.Reference, want)
				}
			}
			for _, x := range i.state.Transfers {
				fmt.Fprintln(&want, x.ID, x.FromLocation, x.ToLocation, x.Quantity)
			}
			for _, x := range row.Deliveries {
				fmt.Fprintln(&got, locationName(row, x.Location), x.Reference, x.Quantity)
			}
			for _, x := range i.state.Expected {
				fmt.Fprintln(&want, x.Location, x.Reference, x.Quantity)
			}
			for _, x := range row.Backorders {
				fmt.Fprintln(&got, OrderID(x), locationName(row, x.Location), x.Quantity)
			}
			for _, x := range i.state.Backorders {
				fmt.Fprintln(&want, x.OrderID, x.Location, x.Quantity)
			}
			if got.String() != want.String() {
				t.Fatalf("the row has\n%sthe rules have\n%s", got.String(), want.String())
			}
		}
	})
}

// A row must fit into a record with as much open work as the rules allow.
func TestTheLargestRowIsARecord(t *testing.T) {
	text := func(n, i int) string { return fmt.Sprintf("%0*d", n, i) }
	const most = inventory.MaxLevel
	level := &eventv1.Level{
		OnHand: most, Available: -most, Reserved: most, Committed: most,
		SafetyStock: most, Damaged: most, QualityControl: most, Incoming: most,
	}
	now := int64(1) << 51 // micros, in the year 2041
	row := &eventv1.AvailabilityRow{
		Sku:         strings.Repeat("\U0001d11e", limits.MaxSKULength),
		Description: strings.Repeat("\U0001d11e", limits.MaxDescriptionLength),
		Registered:  true, Version: 1 << 60, VisibleVersion: 1 << 60,
		Total: level, BackorderLimit: inventory.MaxBackorderLimit,
		SourcePartition: 1 << 20, SourceOffset: 1 << 60, OccurredAtMicros: now, Format: rowFormat,
	}
	for i := range inventory.MaxLocations {
		row.Locations = append(row.Locations, &eventv1.LocationLevel{
			Location: text(limits.MaxLocationLength, i), Level: level,
		})
	}
	for i, left := 0, limits.MaxMetadataBytes; left > 0; i++ {
		key := text(limits.MaxMetadataKeyBytes, i)
		value := text(min(limits.MaxMetadataValueLength, left-len(key)), i)
		row.Metadata = append(row.Metadata, &eventv1.MetadataEntry{Key: key, Value: value})
		left -= len(key) + len(value)
	}
	const last = inventory.MaxLocations - 1
	for i := range inventory.MaxTransfers {
		row.Transfers = append(row.Transfers, &eventv1.OpenTransfer{
			TransferId: text(limits.MaxTransferBytes, i), FromLocation: last, ToLocation: last,
			Shipped: limits.MaxQuantity, Remaining: limits.MaxQuantity, ShippedAtMicros: now,
			Reference: fittingReference(row, text(limits.MaxReferenceLength, i)),
		})
	}
	for i := range inventory.MaxDeliveries {
		row.Deliveries = append(row.Deliveries, &eventv1.OpenDelivery{
			Location: last, Reference: text(limits.MaxReferenceLength, i), Quantity: limits.MaxQuantity,
		})
	}
	for range inventory.MaxBackorders {
		w := addBackorder(row, uuid.NewString(), text(limits.MaxLocationLength, last), now)
		w.Quantity = inventory.MaxBackorderLimit / inventory.MaxBackorders
	}
	rec, err := encodeRow(row)
	if err != nil {
		t.Fatal(err)
	}
	names, references := 0, 0
	for _, l := range row.Locations {
		names += len(l.Location)
	}
	for _, d := range row.Deliveries {
		references += len(d.Reference)
	}
	if names != inventory.MaxLocationNamesBytes || references != inventory.MaxDeliveryReferencesBytes {
		t.Errorf("%d bytes of names and %d of references are not the most", names, references)
	}
	if size := len(rec.Key) + len(rec.Value); size > eventlog.MaxRecordBytes {
		t.Errorf("a row of %d bytes; a record has at most %d", size, eventlog.MaxRecordBytes)
	}
	if body := shown(row); !json.Valid(body) {
		t.Error("not JSON")
	}
}

// References of transfers are kept as long as the row has room. Transfers that have arrived make room again.
func TestReferencesOfTransfersLeaveARowARecord(t *testing.T) {
	row := &eventv1.AvailabilityRow{}
	change := func(change proto.Message) {
		ev := schematest.StockEvent(change)
		ev.Meta = &eventv1.Meta{}
		changeOpenWork(row, ev)
	}
	ship := func(id string) string {
		change(&eventv1.TransferShipped{
			TransferId: id, FromLocation: "main", ToLocation: "north", Quantity: 1, Reference: strings.Repeat("r", 256),
		})
		return row.Transfers[len(row.Transfers)-1].Reference
	}
	const fit = MaxTransferReferencesBytes / 256
	for i := range fit {
		if ship(strconv.Itoa(i)) == "" {
			t.Fatalf("reference %d has no room", i)
		}
	}
	if got := ship("one more"); got != "" {
		t.Errorf("%d bytes beyond what there is room for", len(got))
	}
	change(&eventv1.TransferReceived{TransferId: "0", Quantity: 1})
	if ship("the next") == "" {
		t.Error("a transfer that has arrived takes room")
	}
}

func TestStockShowsWhatIsUnderWay(t *testing.T) {
	row := &eventv1.AvailabilityRow{
		Sku: "A", Locations: []*eventv1.LocationLevel{{Location: "main"}, {Location: "north"}},
		Transfers: []*eventv1.OpenTransfer{
			{TransferId: "t-1", ToLocation: 1, Reference: "van 2", Shipped: 5, Remaining: 2, ShippedAtMicros: 1_000_000},
		},
		Deliveries: []*eventv1.OpenDelivery{{Location: 1, Reference: "PO-1", Quantity: 7}, {Location: 9, Quantity: 1}},
		Backorders: []*eventv1.WaitingOrder{{OrderId: "o-1", Quantity: 3}},
	}
	got := string(renderStock([]byte(`{"sku":"A"}`), "", row))
	want := `{"sku":"A","transfers":[{"transfer_id":"t-1","from_location":"main","to_location":"north",` +
		`"reference":"van 2","shipped":5,"remaining":2,"shipped_at":"1970-01-01T00:00:01Z"}],` +
		`"expected":[{"location":"north","reference":"PO-1","quantity":7},{"location":"#9","reference":"","quantity":1}],` +
		`"backorders":[{"order_id":"o-1","location":"main","quantity":3,"since":"1970-01-01T00:00:00Z"}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got, want = string(renderStock([]byte(`{"sku":"A"}`), `,"metadata":{"a":"1"}`, nil)),
		`{"sku":"A","metadata":{"a":"1"},"transfers":[],"expected":[],"backorders":[]}`
	if got != want {
		t.Errorf("nothing under way: %s, want %s", got, want)
	}
}
