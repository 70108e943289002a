package shard

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// overWire is a result as another replica gets it.
func overWire(t testing.TB, r Result) Result {
	t.Helper()
	value, err := resultToWire(r).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	message := &peerv1.CommandResult{}
	if err := message.UnmarshalVT(value); err != nil {
		t.Fatal(err)
	}
	got, err := resultFromWire(message)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// differ says how two results differ.
func differ(want, got Result) string {
	if !want.Position.Equal(got.Position) {
		return fmt.Sprintf("position %s, want %s", got.Position, want.Position)
	}
	want.Position, got.Position = eventlog.Position{}, eventlog.Position{}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%+v, want %+v", got, want)
	}
	return ""
}

// fill sets every exported field below v to a random value: a conversion that forgets one is noticed.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.StringN(0, 8, -1).Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int64"))
	case reflect.Int32:
		v.SetInt(int64(rapid.Int32().Draw(t, "int32")))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint64"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem())
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, "length"); n > 0 { // Protobuf has one kind of empty list
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i))
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[eventlog.Position]() {
			v.Set(reflect.ValueOf(position(t)))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("no random %s", v.Type())
	}
}

func position(t *rapid.T) eventlog.Position {
	offsets := eventlog.Offsets{}
	for range rapid.IntRange(0, 4).Draw(t, "partitions") {
		topic := rapid.SampledFrom([]string{eventlog.TopicOrders, eventlog.TopicInventory}).Draw(t, "topic")
		tp := eventlog.TopicPartition{Topic: topic, Partition: rapid.Int32Range(0, 63).Draw(t, "partition")}
		offsets[tp] = rapid.Int64Range(1, 1<<40).Draw(t, "end")
	}
	return eventlog.PositionOf(offsets)
}

// random is a value with random fields.
func random[T any](t *rapid.T) (v T) {
	fill(t, reflect.ValueOf(&v).Elem())
	return v
}

// Whatever a result says, another replica's client is told.
func TestResultsCrossTheWire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := random[Result](rt)
		if diff := differ(want, overWire(t, want)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// What an order wants, what stock answers, and positions are the same on both sides.
func TestStepsAndAnswersCrossTheWire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		wanted := random[order.Wanted](rt)
		if got := wantedFromWire(wantedToWire(wanted)); !reflect.DeepEqual(got, wanted) {
			rt.Fatalf("%+v, want %+v", got, wanted)
		}
		held := append(random[[]order.StockAnswer](rt), order.StockAnswer{})
		if got := heldFromWire(heldToWire(held)); !reflect.DeepEqual(got, held) {
			rt.Fatalf("%+v, want %+v", got, held)
		}
		offsets := position(rt).Offsets()
		var message []*peerv1.PartitionOffset
		for tp, end := range offsets {
			message = append(message, offsetToWire(tp, end))
		}
		if got := offsetsFromWire(message); !reflect.DeepEqual(got, offsets) {
			rt.Fatalf("%v, want %v", got, offsets)
		}
	})
}

// A step arrives as it was sent. One that names a SKU twice, or has half an event ID, is not read.
func TestAStepCrossesTheWire(t *testing.T) {
	o := &order.Order{
		ID: "o-1", PlacedEventID: order.ID{1, 15: 2}, ReservationVersion: 3,
		Allocation: &order.AllocationRule{Policy: 1, Locations: []string{"main"}},
	}
	req := stepToWire(o, 4, 5, 6)
	want := order.Wanted{SKU: "A", Reserved: 1}
	req.Wanted = append(req.Wanted, wantedToWire(want))
	step, wanted, ok := stepFromWire(req)
	wantStep := inventory.Step{
		OrderID: "o-1", PlacedEventID: inventory.ID(o.PlacedEventID), Version: 3, Allocation: stockRule(o.Allocation),
	}
	if !ok || !reflect.DeepEqual(step, wantStep) || !reflect.DeepEqual(wanted, []order.Wanted{want}) ||
		req.SourceShard != 4 || req.TargetShard != 5 || req.OccurredAtMicros != 6 {
		t.Errorf("%v: %+v %+v of %v", ok, step, wanted, req)
	}
	o.Kind, o.OccurredAtMicros = order.KindImportedOrder, 7
	if req := stepToWire(o, 4, 5, 6); req.OccurredAtMicros != 7 {
		t.Errorf("a past document's step happens at %d", req.OccurredAtMicros)
	}
	req.Wanted = append(req.Wanted, req.Wanted[0])
	if _, _, ok := stepFromWire(req); ok {
		t.Error("a SKU twice")
	}
	req.Wanted, req.PlacedEventId = req.Wanted[:1], req.PlacedEventId[:8]
	if _, _, ok := stepFromWire(req); ok {
		t.Error("half an event ID")
	}
}

// An owner of an earlier release answers with a field that nobody reads any more: the client is told to retry.
func TestTheAnswerOfAnotherReleaseIsUnavailable(t *testing.T) {
	in, node := newCommandInput(&Command{}), &Node{}
	node.handOvers = newHandOvers(node, 1)
	node.answerFromPeer(0, "", in, &peerv1.CommandResponse{Final: true}, nil)
	const want = "the owner's answer cannot be read: it is of another release: retry with the same Idempotency-Key"
	if r := in.Result(); r.Code != problem.Unavailable || r.Detail != want || r.RetryAfterSeconds == 0 {
		t.Errorf("%+v", r)
	}
}
