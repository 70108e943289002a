package verify

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/localstore"
	rules "github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// fewRecords is how many small records of a table may be recent in tests, saveEach after how many a test saves.
const fewRecords, saveEach = 2000, 100

// forgetful has a disk for checkers that have no record in memory.
type forgetful struct {
	t    *testing.T
	disk *disk
}

func newForgetful(t *testing.T) *forgetful {
	t.Helper()
	db, err := localstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &forgetful{t, &disk{db: db, maxWeight: fewRecords}}
	t.Cleanup(func() { _ = f.disk.close() }) // the error of one that was damaged on purpose
	return f
}

// checker is a new checker. With onDisk, forget writes all that it knows to the disk, and drops it from memory.
func (f *forgetful) checker(onDisk bool) (c *checker, forget func()) {
	layout := eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1}
	if !onDisk {
		return newChecker(layout, Options{}), func() {}
	}
	if err := f.disk.empty(); err != nil {
		f.t.Fatal(err)
	}
	f.disk.begin()
	c = newCheckerOn(layout, Options{}, f.disk)
	return c, func() {
		f.save(c)
		clear(c.accounts.recent)
		clear(c.items.recent)
	}
}

func (f *forgetful) save(c *checker) {
	f.t.Helper()
	c.accounts.save(func(string, *account) {})
	c.items.save(func(string, *item) {})
	c.keys.save()
	if err := f.disk.commit(); err != nil {
		f.t.Fatal(err)
	}
}

// The records in memory are as many after a long log as after a short one.
func TestMemoryDoesNotGrowWithTheLog(t *testing.T) {
	f := newForgetful(t)
	c, _ := f.checker(true)
	most := 0
	for i := range 8 * fewRecords {
		id := fmt.Sprintf("o-%d", i)
		m := codec.Meta{
			EventID: [16]byte{1}, Version: 1, Generation: 1, IdempotencyKey: id, Cause: eventv1.Cause_CAUSE_COMMAND,
		}
		value, _, err := codec.AppendOrder(nil, id, &m, rules.OrderPlaced{Lines: []rules.PlaceLine{{SKU: "A", Quantity: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
		c.foldOrder(&eventlog.Record{TopicPartition: tp, Offset: int64(i), Key: []byte(id), Value: value})
		if i%saveEach == saveEach-1 {
			f.save(c)
		}
		most = max(most, len(c.accounts.recent)+len(c.accounts.older)+len(c.accounts.changed))
	}
	t.Logf("%d orders at most in memory, of %d", most, 8*fewRecords)
	if most > 2*fewRecords+2*saveEach {
		t.Errorf("%d orders are in memory", most)
	}
	if o := c.orderOf("o-0"); o == nil || o.version != 1 {
		t.Errorf("the first order is %+v", o)
	}
	if len(c.keys.versions)+len(c.keys.placedBy) > saveEach {
		t.Errorf("%d keys are in memory", len(c.keys.versions))
	}
}

// What is cut short, or longer than it should be, is noticed. It never panics.
func TestADamagedRecordIsNoticed(t *testing.T) {
	it := &item{
		sku: "A", locations: []*location{{name: "main"}}, waiting: []waitingOrder{{"o", "main", 2, true}},
		transfers: map[string]*transfer{"t": {"a", "b", 3}}, expected: map[delivery]int64{{"main", "r"}: 4},
		row: &eventv1.AvailabilityRow{Sku: "A"},
	}
	w := coder{}
	it.code(&w)
	for n := range len(w.b) {
		r := coder{b: w.b[:n], reading: true}
		(&item{}).code(&r)
		if r.err == nil {
			t.Errorf("%d of %d bytes are an item", n, len(w.b))
		}
	}
	f := newForgetful(t)
	f.disk.begin()
	if err := f.disk.batch.Set([]byte("iA"), append(w.b, 0), nil); err != nil {
		t.Fatal(err)
	}
	if err := f.disk.commit(); err != nil {
		t.Fatal(err)
	}
	if f.disk.read(keyItem, "A", (&item{}).code); f.disk.err == nil {
		t.Error("a byte too many is not noticed")
	}
}
