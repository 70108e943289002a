package shard

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// TestACheckpointIsWhatMemoryWas: whatever orders and holdings became, in whatever batches, and whichever of these were
// encoded on their own: the checkpoint has the last of each, and its indexes say the same.
func TestACheckpointIsWhatMemoryWas(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		st, err := openStore(filepath.Join(dir, "checkpoint"), nil, func(id string) bool { return strings.HasPrefix(id, "foreign") }, true)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := st.close(); err != nil {
				t.Error(err)
			}
		}()
		deadlines, unsettled, held := map[string]int64{}, map[string]bool{}, map[string]int64{}
		id := func(t *rapid.T, kind string) string {
			return fmt.Sprint(kind, "-", rapid.IntRange(1, 4).Draw(t, kind))
		}
		t.Repeat(map[string]func(*rapid.T){
			"order": func(t *rapid.T) {
				e, err := st.order(id(t, "own"))
				if err != nil {
					t.Fatal(err)
				}
				e.o.Version++
				e.o.Lines, e.o.Lifecycle = []order.Line{{SKU: "A"}}, order.Placed
				e.o.Terms, e.o.PaymentDeadlineMicros = order.Prepaid, rapid.Int64Range(0, 9).Draw(t, "deadline")
				e.o.Settled = rapid.Bool().Draw(t, "settled")
				deadlines[e.o.ID], unsettled[e.o.ID] = e.o.PaymentDeadlineMicros, !e.o.Settled
				st.changedOrder(e)
			},
			"holdings": func(t *rapid.T) {
				h, err := st.held(id(t, "foreign"))
				if err != nil {
					t.Fatal(err)
				}
				quantity := rapid.Int64Range(0, 3).Draw(t, "quantity")
				h.of("A").Held = []inventory.HeldAt{{Location: "main", Reserved: quantity}}
				held[h.orderID] = quantity
				st.changedHeld(h)
			},
			"encode": func(t *rapid.T) {
				if err := st.encode(); err != nil {
					t.Fatal(err)
				}
			},
			"checkpoint": func(t *rapid.T) {
				if err := st.checkpoint(); err != nil {
					t.Fatal(err)
				}
				forget(st)
				compareCheckpoint(t, st, deadlines, unsettled, held)
			},
		})
	})
}

// forget leaves nothing in memory, as after a restart.
func forget(st *store) {
	clear(st.orders.young)
	clear(st.orders.old)
	clear(st.holdings.young)
	clear(st.holdings.old)
}

func compareCheckpoint(t *rapid.T, st *store, deadlines map[string]int64, unsettled map[string]bool, held map[string]int64) {
	due, open := map[string]int64{}, map[string]bool{}
	err := st.deadlines(func(id string, at int64) { due[id] = at })
	if err == nil {
		err = st.openStock(func(id string) { open[id] = true })
	}
	waiting, scanErr := st.unsettledAfter("", 100)
	if err != nil || scanErr != nil {
		t.Fatal(err, scanErr)
	}
	expires := maps.Clone(deadlines)
	maps.DeleteFunc(expires, func(_ string, at int64) bool { return at == 0 })
	if !maps.Equal(due, expires) {
		t.Fatalf("orders expire at %v, not %v", due, expires)
	}
	for _, id := range waiting {
		if !unsettled[id] {
			t.Fatalf("%s is settled", id)
		}
	}
	maps.DeleteFunc(unsettled, func(_ string, is bool) bool { return !is })
	if len(waiting) != len(unsettled) {
		t.Fatalf("unsettled are %v, not %v", waiting, unsettled)
	}
	for id, at := range deadlines {
		e, err := st.order(id)
		if err != nil || e.o.PaymentDeadlineMicros != at || e.o.Settled == unsettled[id] {
			t.Fatalf("%s is %+v: %v", id, e.o, err)
		}
	}
	for id, quantity := range held {
		h, err := st.held(id)
		if err != nil || h.of("A").Held[0].Reserved != quantity || open[id] != (quantity > 0) {
			t.Fatalf("%s holds %+v, open: %t: %v", id, h.of("A"), open[id], err)
		}
	}
}
