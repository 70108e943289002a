package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// verified runs verify over a log, and returns what it printed and its exit status.
func verified(t *testing.T, log *logtest.Log, args ...string) (string, int) {
	t.Helper()
	verify := []string{
		"verify", "--kafka", strings.Join(log.Config.Seeds, ","), "--env", log.Config.Env,
		"--topic-prefix", log.Config.TopicPrefix, "--view-wait", "0s",
	}
	out, err := holdfast(t, append(verify, args...)...)
	var status exitStatus
	if err != nil && !errors.As(err, &status) {
		t.Fatalf("%v\n%s", err, out)
	}
	return out, int(status)
}

// line is the line of an invariant and those below it that belong to it.
func line(out, id string) string {
	_, from, _ := strings.Cut("\n"+out, "\n"+id+" ")
	first, more, _ := strings.Cut(from, "\n")
	for strings.HasPrefix(more, " ") {
		var next string
		next, more, _ = strings.Cut(more, "\n")
		first += "\n" + next
	}
	return first
}

func TestVerifySaysWhatIsViolatedByItsStatusToo(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	out, status := verified(t, log)
	if status != 0 || strings.Contains(out, "VIOLATED") {
		t.Errorf("a log without a fault: status %d\n%s", status, out)
	}
	for id, want := range map[string]string{
		"I3": "every acknowledged command is in the log\n     (not checked without --acks)",
		"I4": "(without --acks only what the log shows by itself was checked)",
		"I5": "(without --acks only what the log shows by itself was checked)",
	} {
		if !strings.HasSuffix(line(out, id), want) {
			t.Errorf("%s does not end with %q:\n%s", id, want, out)
		}
	}

	for id, want := range map[string]string{"I2": "0  no case ", "I3": "0  not checked ", "I9": "0  not checked "} {
		if !strings.Contains(line(out, id), want) {
			t.Errorf("%s was not checked, and the report does not say %q:\n%s", id, want, out)
		}
	}

	// Two are reserved of a SKU that has none.
	for version, ev := range []*eventv1.InventoryEvent{
		{
			Change: &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{}},
			Total:  &eventv1.Level{},
		},
		{
			Change: &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{
				Step:        &eventv1.ReservationStep{OrderId: "o-1", PlacedEventId: make([]byte, 16), Version: 1},
				Quantity:    2,
				Allocations: []*eventv1.Allocation{{Location: "main", Quantity: 2}},
			}},
			Total: &eventv1.Level{Available: -2, Reserved: 2},
		},
	} {
		ev.Sku, ev.Meta = "A", &eventv1.Meta{EventId: make([]byte, 16), Version: uint64(version + 1)}
		value, err := ev.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		log.Write(eventlog.TopicInventory, 0, ev.Sku, value)
	}
	out, status = verified(t, log)
	if got := line(out, "I1"); status != 1 || !strings.Contains(got, "1 VIOLATED") ||
		!strings.Contains(got, "inventory.events/0@1: SKU A is 2 short after it was reserved, and was 0 short") {
		t.Errorf("oversold: status %d\n%s", status, out)
	}
	if out, status = verified(t, log, "-o", "json"); status != 1 || !strings.Contains(out, `"id": "I1"`) {
		t.Errorf("as JSON: status %d\n%s", status, out)
	}
}

func TestVerifyHoldsTheLogToAcks(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	acks := filepath.Join(t.TempDir(), "acks")
	ack := `{"key":"r","type":"receive_stock","sku":"A","status":201}` + "\n"
	if err := os.WriteFile(acks, []byte(ack), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status := verified(t, log, "--acks", acks)
	if got := line(out, "I3"); status != 1 || !strings.Contains(got, "1 VIOLATED") ||
		!strings.Contains(got, `receive_stock of "A" with key "r"`) {
		t.Errorf("status %d\n%s", status, out)
	}
	if strings.Contains(out, "without --acks") {
		t.Errorf("it was given the acks:\n%s", out)
	}
	holdfastFails(t, "acks file", "verify", "--kafka", log.Config.Seeds[0], "--acks", acks+"-nowhere")
}
