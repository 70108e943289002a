package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// send sends a request to the platform's API. headers are lines such as "If-Match: *".
func (p *platform) send(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	return send(t, method, p.url+path, body, headers...)
}

func send(t *testing.T, method, address, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(testContext(t), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// The ETag of stock stays the same while orders are refused: they change nothing that a client can see of the item.
func TestTheETagOfStockHolds(t *testing.T) {
	binary := build(t)
	for _, shards := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d shards", shards), func(t *testing.T) {
			p := dev(t, binary, t.TempDir(), "--shards", fmt.Sprint(shards))
			p.send(t, http.MethodPut, "/v1/stock/A1", `{"description":"Heart"}`)
			received, _ := p.send(t, http.MethodPost, "/v1/stock/A1/receipts", `{"quantity":5}`, "Idempotency-Key: r-1")
			etag := received.Header.Get("Etag")
			for n := range 6 { // orders of other shards than the item's among them
				etag = p.refuseOne(t, n, etag)
			}
			p.verify(t, binary)
			if _, err := p.end(t, syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}

// refuseOne has an order refused, and changes the item under the version from before. It returns the next one.
func (p *platform) refuseOne(t *testing.T, n int, etag string) string {
	t.Helper()
	refused, body := p.send(t, http.MethodPost, "/v1/orders",
		`{"customer_id":"c-1","currency":"GBP","lines":[{"sku":"A1","quantity":1000,"unit_price":"2.55"}]}`,
		fmt.Sprint("Idempotency-Key: o-", n))
	position := "Holdfast-Min-Position: " + refused.Header.Get("Holdfast-Position")
	if refused.StatusCode != http.StatusConflict || !strings.Contains(body, "insufficient_stock") ||
		refused.Header.Get("Holdfast-Position") == "" {
		t.Fatalf("the order: %s %v\n%s", refused.Status, refused.Header, body)
	}
	for _, path := range []string{"/v1/stock/A1", "/v1/availability/A1"} {
		if shown, body := p.send(t, http.MethodGet, path, "", position); shown.Header.Get("Etag") != etag {
			t.Errorf("%s has the version %s, was %s: %s", path, shown.Header.Get("Etag"), etag, body)
		}
		same, _ := p.send(t, http.MethodGet, path, "", position, "If-None-Match: "+etag)
		if same.StatusCode != http.StatusNotModified {
			t.Errorf("%s with If-None-Match: %s", path, same.Status)
		}
	}
	adjusted, body := p.send(t, http.MethodPost, "/v1/stock/A1/adjustments", `{"delta":1,"reason":"correction"}`,
		fmt.Sprint("Idempotency-Key: a-", n), "If-Match: "+etag)
	if adjusted.StatusCode != http.StatusCreated {
		t.Fatalf("If-Match after a refused order: %s\n%s", adjusted.Status, body)
	}
	return adjusted.Header.Get("Etag")
}
