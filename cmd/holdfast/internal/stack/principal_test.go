package stack

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Who asks is named in a header, and stands in the events of the command and in the order's timeline: whichever replica
// decides the command, and for each line of bulk.
func TestWhoAskedIsInTheLogAndInTheTimeline(t *testing.T) {
	ctx := logtest.Context(t)
	stack, err := Start(ctx, Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouse: NoClickHouse, Shards: 2, Replicas: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	}()
	far, key, sku := stack.nodes[1], "k", ""
	for i := 0; sku == "" || !far.Node().Owns(far.Node().ShardOf(sku)); i++ { // its orders are there, too
		sku = fmt.Sprint("A", i)
	}
	nobody := client.New(stack.CommandURLs()[0])
	alice, zoe := nobody.As("alice"), nobody.As("zoë@shop.example")
	if _, err := nobody.RegisterItem(ctx, sku, client.RegisterItem{Description: "Heart"}); err != nil {
		t.Fatal(err)
	}
	lines := []client.CommandLine{
		{ID: "r-1", Type: "receive_stock", SKU: sku, Body: map[string]any{"quantity": 3}},
		{ID: "r-2", Type: "receive_stock", SKU: sku, Body: map[string]any{"quantity": 4}},
	}
	for result, err := range zoe.RunCommands(ctx, slices.Values(lines)) {
		if err != nil || result.Status != 201 {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	body := client.PlaceOrder{
		CustomerID: "c-1", Currency: "GBP", Lines: []client.OrderLine{{SKU: sku, Quantity: 2, UnitPrice: "2.55"}},
	}
	placed, err := alice.PlaceOrder(ctx, body, client.Key(key))
	if err != nil {
		t.Fatal(err)
	}
	again, err := zoe.PlaceOrder(ctx, body, client.Key(key)) // a repeat, whoever sends it
	if err != nil || again.Value.OrderID != placed.Value.OrderID {
		t.Fatalf("%+v, %v", again, err)
	}
	held, err := zoe.HoldOrder(ctx, placed.Value.OrderID, "fraud")
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := nobody.ResumeOrder(ctx, placed.Value.OrderID)
	if err != nil {
		t.Fatal(err)
	}

	shown, err := client.New(stack.URL()).Order(ctx, placed.Value.OrderID, client.After(resumed.Position))
	if err != nil || resumed.Version != held.Version+1 {
		t.Fatalf("%+v, %v", shown, err)
	}
	timeline := map[string]string{}
	for _, e := range shown.Value.Timeline {
		timeline[e.Type] = fmt.Sprint(e.Principal.Name, " ", e.Principal.Verified)
	}
	want := map[string]string{
		"order_placed": "alice false", "order_reserved": " false", "order_held": "zoë@shop.example false",
		"order_resumed": " false",
	}
	if !maps.Equal(timeline, want) {
		t.Errorf("the timeline names %q, want %q", timeline, want)
	}
	logged := principals(t, stack)
	want = map[string]string{
		"item_registered": "nobody", "stock_received": "zoë@shop.example false", "order_placed": "alice false",
		"stock_reserved": "nobody", "order_reserved": "nobody", "order_held": "zoë@shop.example false",
		"order_resumed": "nobody",
	}
	if !maps.Equal(logged, want) {
		t.Errorf("the log names %q, want %q", logged, want)
	}
}

// principals are those of the events in the log, by the type of the event: that of the last one of each type.
func principals(t *testing.T, stack *Stack) map[string]string {
	t.Helper()
	ctx := logtest.Context(t)
	log, err := eventlog.Open(eventlog.Config{Seeds: stack.KafkaSeeds(), Embedded: true})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var tps []eventlog.TopicPartition
	for i := range int32(run.DefaultPartitions) {
		tps = append(tps, eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: i},
			eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: i})
	}
	from, err := log.StartOffsets(ctx, tps)
	if err != nil {
		t.Fatal(err)
	}
	to, err := log.EndOffsets(ctx, tps)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	name := func(ev proto.Message, meta *eventv1.Meta) {
		typ, _ := schema.Name(ev)
		found[typ] = "nobody"
		if p := meta.Principal; p != nil {
			found[typ] = fmt.Sprint(p.Name, " ", p.Verified)
		}
	}
	err = log.Read(ctx, from, to, func(rec *eventlog.Record) error {
		if rec.Topic == eventlog.TopicOrders {
			var ev eventv1.OrderEvent
			err := schema.ReadOrder(rec.Value, &ev)
			name(&ev, ev.Meta)
			return err
		}
		var ev eventv1.InventoryEvent
		err := schema.ReadInventory(rec.Value, &ev)
		name(&ev, ev.Meta)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
