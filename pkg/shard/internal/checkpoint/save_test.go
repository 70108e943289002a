package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// TestACheckpointIsWhatMemoryWas: however orders and reservations change, in whatever batches, and whichever of these
// are encoded on their own: the checkpoint has the last value of each, and its indexes say the same.
func TestACheckpointIsWhatMemoryWas(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "checkpoint")
		if err := Delete(path); err != nil {
			t.Fatal(err)
		}
		st, err := Open(path, Config{Foreign: func(id string) bool { return strings.HasPrefix(id, "foreign") }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}()
		deadlines, unsettled, reserved := map[string]int64{}, map[string]bool{}, map[string]int64{}
		attempts := map[string]bool{}
		id := func(t *rapid.T, kind string) string {
			return fmt.Sprint(kind, "-", rapid.IntRange(1, 4).Draw(t, kind))
		}
		t.Repeat(map[string]func(*rapid.T){
			"order": func(t *rapid.T) {
				e, err := st.Order(id(t, "own"))
				if err != nil {
					t.Fatal(err)
				}
				e.Order.Version++
				e.Order.Lines, e.Order.Lifecycle = []order.Line{{SKU: "A"}}, order.Placed
				e.Order.Terms, e.Order.PaymentDeadlineMicros = order.Prepaid, rapid.Int64Range(0, 9).Draw(t, "deadline")
				e.Order.Settled = rapid.Bool().Draw(t, "settled")
				deadlines[e.Order.ID], unsettled[e.Order.ID] = e.Order.PaymentDeadlineMicros, !e.Order.Settled
				st.OrderChanged(e)
			},
			"reservations": func(t *rapid.T) {
				h, err := st.Reservations(id(t, "foreign"))
				if err != nil {
					t.Fatal(err)
				}
				quantity := rapid.Int64Range(0, 3).Draw(t, "quantity")
				h.Of("A").Locations = []inventory.ReservationAt{{Location: "main", Reserved: quantity}}
				reserved[h.OrderID] = quantity
				st.reservationsChanged(h)
			},
			"reservation of an attempt to place an order": func(t *rapid.T) {
				e, err := st.Order(id(t, "own"))
				if err != nil {
					t.Fatal(err)
				}
				e.Order.PlacedEventID = order.ID{1}
				res := e.Reservations.Of("A")
				res.PlacedEventID = inventory.ID{byte(rapid.IntRange(1, 2).Draw(t, "attempt"))}
				quantity := rapid.Int64Range(0, 3).Draw(t, "quantity")
				res.Locations = []inventory.ReservationAt{{Location: "main", Reserved: quantity}}
				st.reservationsChanged(&e.Reservations)
				attempts[e.Order.ID] = true
			},
			"encode": func(t *rapid.T) {
				if err := st.encode(); err != nil {
					t.Fatal(err)
				}
			},
			"checkpoint": func(t *rapid.T) {
				if err := st.Save(); err != nil {
					t.Fatal(err)
				}
				forget(st)
				compareCheckpoint(t, st, deadlines, unsettled, reserved)
				compareAttempts(t, st, attempts)
			},
		})
	})
}

// forget leaves nothing in memory, as after a restart.
func forget(st *Store) {
	clear(st.orders.young)
	clear(st.orders.old)
	clear(st.reservations.young)
	clear(st.reservations.old)
}

func compareCheckpoint(
	t *rapid.T, st *Store, deadlines map[string]int64, unsettled map[string]bool, reserved map[string]int64,
) {
	due, open := map[string]int64{}, map[string]bool{}
	err := st.EachDeadline(func(id string, at int64) { due[id] = at })
	if err == nil {
		err = st.EachOpenReservation(func(id string) { open[id] = true })
	}
	waiting, scanErr := st.UnsettledAfter("", 100)
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
		e, err := st.Order(id)
		if err != nil || e.Order.PaymentDeadlineMicros != at || e.Order.Settled == unsettled[id] {
			t.Fatalf("%s is %+v: %v", id, e.Order, err)
		}
	}
	for id, quantity := range reserved {
		h, err := st.Reservations(id)
		if err != nil || h.Of("A").Locations[0].Reserved != quantity || open[id] != (quantity > 0) {
			t.Fatalf("%s has reserved %+v, open: %t: %v", id, h.Of("A"), open[id], err)
		}
	}
}

// compareAttempts checks that orders are asked about for which something is reserved that the log's order does not
// want: there is none, or it was placed by another attempt.
func compareAttempts(t *rapid.T, st *Store, attempts map[string]bool) {
	open := map[string]bool{}
	if err := st.EachOpenReservation(func(id string) { open[id] = true }); err != nil {
		t.Fatal(err)
	}
	for id := range attempts {
		e, err := st.Order(id)
		if err != nil {
			t.Fatal(err)
		}
		res := e.Reservations.Of("A")
		unknown := e.Order.Version == 0 || res.PlacedEventID != inventory.ID(e.Order.PlacedEventID)
		if want := unknown && res.Locations[0].Reserved > 0; open[id] != want {
			t.Fatalf("%s of version %d is asked about: %t; %+v", id, e.Order.Version, open[id], res)
		}
	}
}

// TestASlowDiskDoesNotPileChangesUp: while one checkpoint is being written, the changes for the next take no more
// memory than they may, and none is lost.
func TestASlowDiskDoesNotPileChangesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checkpoint")
	cfg := Config{Foreign: func(string) bool { return false }, MemoryBytes: 1 << 20}
	st, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	st.saving = true // the disk takes nothing
	const rounds, lines = 20, 500
	for range rounds {
		place(t, st, "o-1", lines)
		if changes, err := st.Prepare(); changes != nil || err != nil {
			t.Fatal("a checkpoint is prepared while another one is being written", err)
		}
	}
	e, err := st.Order("o-1")
	if err != nil {
		t.Fatal(err)
	}
	if have := len(st.changes.arena); have > st.changesBytes+e.encoded {
		t.Errorf("the changes take %d bytes, and %d are allowed", have, st.changesBytes)
	}
	st.saving = false
	if err := errors.Join(st.Save(), st.Close()); err != nil {
		t.Fatal(err)
	}
	if st, err = Open(dir, cfg); err != nil {
		t.Fatal(err)
	}
	if e, err = st.Order("o-1"); err != nil || len(e.Order.Lines) != rounds*lines {
		t.Errorf("the checkpoint has %d lines, %v", len(e.Order.Lines), err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
