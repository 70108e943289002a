package shard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// The log's limit applies to the whole record of an event: one byte more is refused, not tried.
func TestACommandWhoseRecordIsTooLargeIsRefused(t *testing.T) {
	p := newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A", 10)
	place := func(key string, bytes int) shard.Result {
		cmd, err := decode(command.PlaceOrder, "", key, []byte(orderBody("prepaid", "A")), time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		cmd.Key = strings.Repeat("x", bytes) // far more than the API takes; the event holds it
		fut := n.Submit(cmd)
		<-fut.Done()
		return fut.Result()
	}
	var size int
	r := place("k0", eventlog.MaxRecordBytes)
	if _, err := fmt.Sscanf(r.Detail, "its event would take %d bytes", &size); err != nil ||
		r.Code != problem.CommandTooLarge {
		t.Fatalf("%+v: %v", r, err)
	}
	most := 2*eventlog.MaxRecordBytes - size
	if r := place("k1", most+1); r.Code != problem.CommandTooLarge {
		t.Errorf("one byte above the limit: %+v", r)
	}
	ok(t, place("k2", most))
}
