package e2e_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
)

var update = flag.Bool("update", false, "write the orders of former logs again")

// The log is kept for ever, so each version reads what every former one wrote. testdata/former has archives of logs,
// named for the day of their program: of the first one whose logs must stay readable, and of the last one whose events
// did not name lines by their numbers. They have orders with two lines of one SKU, in parts of shipments and returns,
// amended, on hold, rejected, and past documents. Each order is as it was, and goes on.
func TestLogsOfFormerVersionsAreRead(t *testing.T) {
	binary := build(t)
	archives, err := filepath.Glob("testdata/former/*.hflog")
	if err != nil || len(archives) < 2 {
		t.Fatalf("%d logs, %v", len(archives), err)
	}
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dev")
			if out, err := (&platform{}).cli(t, binary, "log", "import", archive, "--dir", dir); err != nil {
				t.Fatalf("import: %v\n%s", err, out)
			}
			p := dev(t, binary, dir)
			golden := strings.TrimSuffix(archive, ".hflog") + ".json"
			got := p.allOrders(t)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v; orders are\n%s\nwant\n%s", err, got, want)
			}
			p.goOn(t)
			p.verifyMirror(t, binary)
		})
	}
}

// allOrders are all orders with their timelines, a line each.
func (p *platform) allOrders(t *testing.T) string {
	t.Helper()
	position := p.position(t)
	ids := p.orderIDs(t, position)
	slices.Sort(ids)
	var all strings.Builder
	for _, id := range ids {
		fmt.Fprintln(&all, strings.TrimSpace(p.get(t, "/v1/orders/"+id, position)))
	}
	return all.String()
}

// goOn ships, delivers and receives what the former program left under way: its events name no lines.
func (p *platform) goOn(t *testing.T) {
	t.Helper()
	c := client.New(p.url)
	find := func(customer string) *client.Order {
		t.Helper()
		found, err := c.Orders(testContext(t), client.OrderFilter{CustomerID: customer}, client.After(p.position(t)))
		if err != nil || len(found.Value.Items) != 1 {
			t.Fatalf("orders of %s: %+v, %v", customer, found, err)
		}
		return &found.Value.Items[0]
	}
	do := func(path, body string) {
		t.Helper()
		resp, answer := p.send(t, http.MethodPost, path, body, "Idempotency-Key: go on "+path)
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}
	ben := find("ben") // BOOK=3 TEA=4 TEA=2: five of TEA will come back, one of BOOK is being packed
	order := "/v1/orders/" + ben.OrderID
	do(order+"/returns/"+ben.Returns[0].ReturnID+"/receipt", `{"lines":[{"sku":"TEA","line":3,"quantity":1,`+
		`"condition":"damaged"},{"sku":"TEA","quantity":4,"condition":"resellable"}]}`)
	do(order+"/fulfilments/"+ben.Fulfilments[1].FulfilmentID+"/shipment", `{}`)
	do(order+"/fulfilments", `{"lines":[{"sku":"BOOK","quantity":2},{"sku":"TEA","line":3,"quantity":1}]}`)
	anna := find("anna") // MUG=2 TEA=3 MUG=1: one of two mugs that will come back has
	order = "/v1/orders/" + anna.OrderID
	do(order+"/fulfilments/"+anna.Fulfilments[1].FulfilmentID+"/delivery", `{}`)
	do(order+"/returns/"+anna.Returns[0].ReturnID+"/receipt",
		`{"lines":[{"sku":"MUG","quantity":1,"condition":"damaged"}]}`)
	for _, o := range []*client.Order{find("ben"), find("anna")} {
		var lines []string
		for _, l := range o.Lines {
			lines = append(lines, fmt.Sprintf("%d:%d-%d/%d/%d/%d",
				l.Line, l.Quantity, l.Cancelled, l.Shipped, l.Delivered, l.Returned))
		}
		want := map[string]string{
			"ben":  "1:3-0/3/0/0 2:4-0/4/4/4 3:2-0/2/1/1",
			"anna": "1:2-0/2/2/2 2:3-1/1/1/0 3:1-0/1/1/0",
		}[o.CustomerID]
		if got := strings.Join(lines, " "); got != want {
			t.Errorf("lines of %s: %s, want %s", o.CustomerID, got, want)
		}
	}
}
