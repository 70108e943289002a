package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// verify holds the log and the availability topic to the invariants; a deleted topic gets time to come back.
func (p *platform) verify(t *testing.T, binary string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out, err := exec.CommandContext(testContext(t), binary, "verify", "--kafka", p.kafka, "--settled", "--view-wait", patience.String()).CombinedOutput()
		if err == nil {
			return
		}
		if !strings.Contains(string(out), "UNKNOWN_TOPIC") || time.Now().After(deadline) {
			t.Fatalf("verify: %v\n%s", err, out)
		}
	}
}

// The event topics hold the truth. Whatever else is deleted comes back equal: the availability topic under the
// running platform, then that topic, the shards' checkpoints and the query API's store together.
func TestEveryStoreButTheLogComesBackEqual(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	file, book := generated(t)
	p := dev(t, binary, dir)
	p.importFile(t, binary, file)
	before := p.answers(t, book)

	logtest.DeleteTopic(t, eventlog.Config{Seeds: []string{p.kafka}}, eventlog.TopicAvailability)
	p.verify(t, binary)
	if after := p.answers(t, book); after != before {
		t.Errorf("the answers differ after the topic came back:\n%s\nbefore:\n%s", after, before)
	}

	logtest.DeleteTopic(t, eventlog.Config{Seeds: []string{p.kafka}}, eventlog.TopicAvailability)
	if out, err := p.end(t, syscall.SIGTERM); err != nil {
		t.Fatalf("stop: %v\n%s", err, out)
	}
	for _, cache := range []string{"order-api", "query-api"} {
		at := filepath.Join(dir, cache)
		if _, err := os.Stat(at); err != nil {
			t.Fatalf("there is no store to delete: %v", err)
		}
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
	}
	p = dev(t, binary, dir)
	if after := p.answers(t, book); after != before {
		t.Errorf("the answers differ:\n%s\nbefore:\n%s", after, before)
	}
	p.verify(t, binary)
	if again := p.importFile(t, binary, file); !strings.Contains(again, " 0 events added") {
		t.Errorf("the shards have forgotten the keys of what was imported:\n%s", again)
	}
}
