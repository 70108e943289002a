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

// Everything but the event topics is a cache, also on Apache Kafka, where the availability topic is compacted. First
// the query API rebuilds its store from a topic most of which has been compacted away. Then that topic, the shards'
// checkpoints and the store are deleted together. Both times the answers are the same as before.
func TestEveryStoreButTheLogComesBackEqualOnApacheKafka(t *testing.T) {
	c := startCluster(t)
	c.log.CompactSoon(eventlog.TopicAvailability)
	acks := filepath.Join(t.TempDir(), "acks")
	c.placeOrders(acks)
	c.placeUntilCompacted(acks)
	verify(t, c.bin, c.kafka, c.prefix, acks, "--settled")
	before := c.queryAnswers(acks)

	c.query.kill()
	c.deleteStore(c.dataDirs[len(c.dataDirs)-1])
	c.query.start()
	c.query.awaitReady(4 * backWithin)
	if after := c.queryAnswers(acks); after != before {
		t.Errorf("the answers differ after reading a compacted topic:\n%s\nbefore:\n%s", after, before)
	}

	for _, p := range c.services() {
		p.kill()
	}
	for _, dir := range c.dataDirs {
		c.deleteStore(dir)
	}
	logtest.DeleteTopic(t, c.log.Config, eventlog.TopicAvailability)
	for _, p := range c.services() {
		p.start()
	}
	c.awaitReady()
	if after := c.queryAnswers(acks); after != before {
		t.Errorf("the answers differ without any store:\n%s\nbefore:\n%s", after, before)
	}
	c.placeOrders(acks) // the shards continue with the stock of before
	verify(t, c.bin, c.kafka, c.prefix, acks)
}

// placeOrders places cachedOrders orders and waits for their answers.
func (c *cluster) placeOrders(acks string) {
	c.log.T.Helper()
	out, err := exec.Command(filepath.Join(c.bin, "holdfast"), "bench", "orders",
		"--url", c.orderURLs(),
		"--orders", fmt.Sprint(cachedOrders),
		"--duration", patience.String(),
		"--skus", fmt.Sprint(cachedSKUs),
		"--acks", acks,
		"--on-account").CombinedOutput()
	if err != nil {
		c.log.T.Fatalf("bench: %v\n%s", err, out)
	}
}

// placeUntilCompacted waits until half of the records of the availability topic have been compacted away. It places
// orders meanwhile, because Kafka begins a new segment, and compacts the one before, only when something is written.
func (c *cluster) placeUntilCompacted(acks string) {
	t := c.log.T
	t.Helper()
	for start := time.Now(); ; {
		var written, remaining int64
		count := func(*eventlog.Record) { remaining++ }
		for _, end := range c.readTopic(eventlog.TopicAvailability, c.log.Layout.PartitionCount, count) {
			written += end
		}
		if remaining < written/2 {
			t.Logf("%d of %d availability records are left", remaining, written)
			return
		}
		if time.Since(start) > 6*backWithin {
			t.Fatalf("%d of %d availability records are left: the topic is not compacted", remaining, written)
		}
		c.placeOrders(acks)
	}
}

// lastPosition is the position after the last event of each partition. The end offsets themselves would not do, because
// transaction markers count in them, and not every view reaches those.
func (c *cluster) lastPosition() string {
	c.log.T.Helper()
	ends := eventlog.Offsets{}
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		c.readTopic(topic, c.log.Layout.PartitionCount, func(rec *eventlog.Record) {
			ends[rec.TopicPartition] = rec.Offset + 1
		})
	}
	return eventlog.PositionOf(ends).String()
}

func (c *cluster) deleteStore(dir string) {
	c.log.T.Helper()
	stored, err := os.ReadDir(dir)
	if err != nil || len(stored) == 0 {
		c.log.T.Fatalf("there is no store to delete in %s: %v", dir, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		c.log.T.Fatal(err)
	}
}

// queryAnswers are the query API's answers for the list of orders, some single orders and every SKU, once its views
// have reached the end of the log.
func (c *cluster) queryAnswers(acks string) string {
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
	position := c.lastPosition()
	for _, path := range paths {
		all.WriteString(c.get(path, position) + "\n")
	}
	return all.String()
}

// get sends a query, and again while the views have not reached the position.
func (c *cluster) get(path, position string) string {
	t := c.log.T
	t.Helper()
	for start := time.Now(); ; {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.query.httpAddr+path, nil)
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
