package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// verify runs holdfast verify on the log and the availability topic. It waits until a deleted topic is created again.
func (p *platform) verify(t *testing.T, binary string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out, err := exec.CommandContext(testContext(t), binary,
			"verify", "--kafka", p.kafka, "--settled", "--view-wait", patience.String()).CombinedOutput()
		if err == nil {
			return
		}
		if !strings.Contains(string(out), "UNKNOWN_TOPIC") || time.Now().After(deadline) {
			t.Fatalf("verify: %v\n%s", err, out)
		}
	}
}

// startWork creates an item with an open transfer, an expected delivery and a waiting order. It returns the item's
// JSON.
func (p *platform) startWork(t *testing.T) string {
	t.Helper()
	ctx, api := testContext(t), client.New(p.url)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(api.RegisterItem(ctx, openSKU, client.RegisterItem{
		Description: "under way", Metadata: client.Metadata{"erp.id": "4711"},
	}))
	must(api.SetBackorderLimit(ctx, openSKU, 9))
	must(api.ReceiveStock(ctx, openSKU, client.ReceiveStock{Quantity: 5}))
	must(api.ExpectStock(ctx, openSKU, client.ExpectStock{Quantity: 7, Reference: "PO-7"}))
	sent, err := api.ShipTransfer(ctx, openSKU, client.ShipTransfer{ToLocation: "north", Quantity: 3, Reference: "van 2"})
	must(sent, err)
	order, err := api.PlaceOrder(ctx, client.PlaceOrder{
		CustomerID: "c", Currency: "GBP", Lines: []client.OrderLine{{SKU: openSKU, Quantity: 4, UnitPrice: "1"}},
	})
	must(order, err)
	item, err := api.Stock(ctx, openSKU, client.After(order.Position))
	must(item, err)
	if v := item.Value; len(v.Transfers) != 1 || v.Transfers[0].TransferID != sent.Value.TransferID ||
		v.Transfers[0].Remaining != 3 || v.Transfers[0].Reference != "van 2" ||
		len(v.Expected) != 1 || v.Expected[0].Reference != "PO-7" || len(v.Backorders) != 1 ||
		v.Backorders[0].OrderID != order.Value.OrderID || v.Backorders[0].Quantity != 2 || v.Metadata["erp.id"] != "4711" {
		t.Fatalf("under way is %+v", v)
	}
	return p.get(t, "/v1/stock/"+openSKU, order.Position)
}

const openSKU = "UNDER-WAY"

// Everything but the event topics can be deleted and comes back equal: the availability topic of a running platform,
// then this topic, the shards' checkpoints and the query API's store together.
func TestEveryStoreButTheLogComesBackEqual(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	file, skus := writeRetailer(t, 200)
	p := dev(t, binary, dir)
	p.importFile(t, binary, file)
	work := p.startWork(t)
	before := p.answers(t, skus)
	still := func() {
		t.Helper()
		if after := p.get(t, "/v1/stock/"+openSKU, ""); after != work {
			t.Errorf("under way is\n%s\nbefore:\n%s", after, work)
		}
	}

	logtest.DeleteTopic(t, eventlog.Config{Seeds: []string{p.kafka}}, eventlog.TopicAvailability)
	p.verify(t, binary)
	still()
	if after := p.answers(t, skus); after != before {
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
	if after := p.answers(t, skus); after != before {
		t.Errorf("the answers differ:\n%s\nbefore:\n%s", after, before)
	}
	p.verify(t, binary)
	still()
	if again := p.importFile(t, binary, file); !strings.Contains(again, " 0 events added") {
		t.Errorf("the shards have forgotten the keys of what was imported:\n%s", again)
	}
}
