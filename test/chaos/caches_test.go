package chaos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

const cachedOrders, cachedSKUs = 500, 50

// The event topics hold the truth, on Apache Kafka too, where the availability topic is compacted. The query API's store
// comes back from a topic of which most has been compacted away; then the topic, the shards' checkpoints and that store come
// back together, equal.
func TestEveryStoreButTheLogComesBackEqualOnApacheKafka(t *testing.T) {
	c := startCluster(t)
	c.log.CompactSoon(eventlog.TopicAvailability)
	acks := filepath.Join(t.TempDir(), "acks")
	c.place(acks)
	c.compacted(acks)
	verify(t, c.bin, c.kafka, c.prefix, acks, "--settled")
	before := c.answers(acks)

	c.query.kill()
	c.clear(c.dataDirs[len(c.dataDirs)-1])
	c.query.start()
	c.query.await(4 * backWithin)
	if after := c.answers(acks); after != before {
		t.Errorf("the answers differ after reading a compacted topic:\n%s\nbefore:\n%s", after, before)
	}

	for _, p := range c.services() {
		p.kill()
	}
	for _, dir := range c.dataDirs {
		c.clear(dir)
	}
	logtest.DeleteTopic(t, c.log.Config, eventlog.TopicAvailability)
	for _, p := range c.services() {
		p.start()
	}
	c.await()
	if after := c.answers(acks); after != before {
		t.Errorf("the answers differ without any store:\n%s\nbefore:\n%s", after, before)
	}
	c.place(acks) // the shards go on with the stock that there is
	verify(t, c.bin, c.kafka, c.prefix, acks)
}

// place places some orders and waits for their answers.
func (c *cluster) place(acks string) {
	c.log.T.Helper()
	out, err := exec.Command(filepath.Join(c.bin, "holdfast"), "bench", "orders", "--url", c.urls(), "--orders", fmt.Sprint(cachedOrders),
		"--duration", patience.String(), "--skus", fmt.Sprint(cachedSKUs), "--acks", acks, "--on-account").CombinedOutput()
	if err != nil {
		c.log.T.Fatalf("bench: %v\n%s", err, out)
	}
}

// compacted places orders until half of what was written to the availability topic is gone: segments roll only when
// something is written.
func (c *cluster) compacted(acks string) {
	t := c.log.T
	t.Helper()
	for start := time.Now(); ; {
		var written, there int64
		for _, end := range c.read(eventlog.TopicAvailability, c.log.Layout.PartitionCount, func(*eventlog.Record) { there++ }) {
			written += end
		}
		if there < written/2 {
			t.Logf("%d of %d availability records are left", there, written)
			return
		}
		if time.Since(start) > 6*backWithin {
			t.Fatalf("%d of %d availability records are still there: the topic is not compacted", there, written)
		}
		c.place(acks)
	}
}

// position is behind the last event, which every view can reach.
func (c *cluster) position() string {
	c.log.T.Helper()
	ends := eventlog.Offsets{}
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		c.read(topic, c.log.Layout.PartitionCount, func(rec *eventlog.Record) { ends[rec.TopicPartition] = rec.Offset + 1 })
	}
	return eventlog.PositionOf(ends).String()
}

func (c *cluster) clear(dir string) {
	c.log.T.Helper()
	stored, err := os.ReadDir(dir)
	if err != nil || len(stored) == 0 {
		c.log.T.Fatalf("there is no store to delete in %s: %v", dir, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		c.log.T.Fatal(err)
	}
}

// answers are what the query API says of every SKU and of some orders, once it has all that is in the log.
func (c *cluster) answers(acks string) string {
	t := c.log.T
	t.Helper()
	text, err := os.ReadFile(acks)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/v1/orders?limit=100"}
	for n, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var ack struct {
			OrderID string `json:"order_id"`
		}
		if err := json.Unmarshal(line, &ack); err != nil {
			t.Fatal(err)
		}
		if ack.OrderID != "" && n%100 == 0 {
			paths = append(paths, "/v1/orders/"+ack.OrderID)
		}
	}
	for i := range cachedSKUs {
		paths = append(paths, fmt.Sprintf("/v1/availability/bench-%04d", i))
	}
	var all strings.Builder
	position := c.position()
	for _, path := range paths {
		all.WriteString(c.get(path, position) + "\n")
	}
	return all.String()
}

// get asks the query API, and again while its views are behind.
func (c *cluster) get(path, position string) string {
	t := c.log.T
	t.Helper()
	for start := time.Now(); ; {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.query.health+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Holdfast-Min-Position", position)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case err != nil:
			t.Fatal(err)
		case response.StatusCode == http.StatusOK:
			return string(body)
		case response.StatusCode != http.StatusServiceUnavailable || time.Since(start) > 2*backWithin:
			t.Fatalf("GET %s: %d %s", path, response.StatusCode, body)
		}
	}
}
