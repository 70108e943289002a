package verify

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// ackChecker knows one item, A, to which the key "done" took effect.
func ackChecker() *checker {
	c := newChecker(eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1}, Options{})
	c.itemOf("A", 0)
	c.keys.again(eventlog.TopicInventory, "A", &eventv1.Meta{IdempotencyKey: "done", Version: 1})
	return c
}

// A refused command that is in the log is a violation, unless the same command was also done, before or after.
func TestARefusedCommandInTheLogMustHaveBeenDone(t *testing.T) {
	const (
		done    = `{"key":"done","type":"receive_stock","sku":"A","status":201}` + "\n"
		refused = `{"key":"done","type":"receive_stock","sku":"A","status":409}` + "\n"
		other   = `{"key":"done","type":"adjust_stock","sku":"A","status":201}` + "\n"
		unknown = `{"key":"done","type":"receive_stock","sku":"A","status":503}` + "\n"
	)
	for name, test := range map[string]struct {
		file       string
		violations int64
	}{
		"refused":                     {refused, 1},
		"refused twice":               {refused + refused, 2},
		"refused, then done":          {refused + done, 0},
		"done, then refused":          {done + refused, 0},
		"refused, another one done":   {other + refused + other, 1},
		"refused, then unknown":       {refused + unknown, 1},
		"refused, done, half a line":  {refused + done + `{"key":"do`, 0},
		"refused under another key":   {strings.Replace(refused, "done", "x", 1), 0},
		"refused, and no other lines": {strings.TrimSuffix(refused, "\n"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := ackChecker()
			if err := c.checkAcks(strings.NewReader(test.file)); err != nil {
				t.Fatal(err)
			}
			if got := c.byID[Refused].Violations; got != test.violations {
				t.Errorf("%d violations, want %d: %v", got, test.violations, c.byID[Refused].Examples)
			}
		})
	}
}

// manyAcks is a file of answers, each to another command, that is made while it is read.
type manyAcks struct {
	next, count int
	buf         bytes.Buffer
}

func (m *manyAcks) Read(p []byte) (int, error) {
	for m.buf.Len() < len(p) && m.next < m.count {
		fmt.Fprintf(&m.buf, `{"key":"key-%d","type":"register_item","sku":"A","status":200}`+"\n", m.next)
		m.next++
	}
	return m.buf.Read(p)
}

func (m *manyAcks) Seek(int64, int) (int64, error) { return 0, io.ErrUnexpectedEOF }

// Commands that were done need no memory, and a file without doubtful refusals is read once.
func TestAcksOfCommandsThatWereDoneAreNotKept(t *testing.T) {
	const count = 100_000
	c := ackChecker()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := c.checkAcks(&manyAcks{count: count}); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if inv := c.byID[Acknowledged]; inv.Checked != count || inv.Violations != 0 {
		t.Errorf("%d checked, %d violations: %v", inv.Checked, inv.Violations, inv.Examples)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > count {
		t.Errorf("%d bytes are kept of %d answers", grown, count)
	}
	runtime.KeepAlive(c)
}
