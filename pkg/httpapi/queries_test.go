package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	dto "github.com/prometheus/client_model/go"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

type noMetrics struct{}

func (noMetrics) Gather() ([]*dto.MetricFamily, error) { return nil, nil }

// shelf is both views at a fixed place.
type shelf struct {
	reached eventlog.Position
	rows    map[string]string
	broken  error
}

func (s *shelf) Reached() eventlog.Position { return s.reached }
func (s *shelf) Age() time.Duration         { return 12 * time.Millisecond }

func (s *shelf) WaitFor(_ context.Context, p eventlog.Position) error {
	if !s.reached.Covers(p) {
		return context.DeadlineExceeded // as after the wait
	}
	return nil
}

func (s *shelf) Row(sku string) ([]byte, uint64, bool) {
	row, ok := s.rows[sku]
	return []byte(row), 4, ok
}

func (s *shelf) Stock(sku string) ([]byte, uint64, bool) { return s.Row(sku) }

func (s *shelf) Order(id string) ([]byte, uint64, bool, error) {
	row, ok := s.rows[id]
	return []byte(row), 4, ok, s.broken
}

func (s *shelf) List(_ context.Context, customerID, status, after string, limit int) ([][]byte, string, error) {
	return [][]byte{fmt.Appendf(nil, "%q", customerID+"|"+status+"|"+after), fmt.Append(nil, limit)}, "next/1", nil
}

func newQuerySite(t *testing.T, v *shelf) *site {
	t.Helper()
	server, err := NewServer(Config{Logger: slog.New(slog.DiscardHandler), Ready: func() error {
		return errors.Join(errors.New("shard 1 restores"), errors.New("no broker"))
	}})
	if err != nil {
		t.Fatal(err)
	}
	RegisterQueries(server.Router(), QueryDeps{Availability: v, Orders: v})
	s := &site{Server: httptest.NewServer(server.Handler()), server: server}
	t.Cleanup(s.Close)
	return s
}

func TestQueries(t *testing.T) {
	reached, err := eventlog.ParsePosition("o3.10~i7.88")
	if err != nil {
		t.Fatal(err)
	}
	s := newQuerySite(t, &shelf{reached: reached, rows: map[string]string{"A1": `{"sku":"A1"}`, "A/2": `{"sku":"A/2"}`, someOrder: `{}`}})
	const get, post = http.MethodGet, http.MethodPost
	for _, test := range []struct {
		method, path, body, header string
		status                     int
		want                       string
	}{
		{get, "/v1/availability/A1", "", "", 200, `{"sku":"A1"}`},
		{get, "/v1/availability/A%2F2", "", "", 200, `{"sku":"A/2"}`},
		{get, "/v1/availability/A1", "", "Holdfast-Min-Position: i7.88", 200, `{"sku":"A1"}`},
		{get, "/v1/availability/A1", "", "Holdfast-Min-Position: i7.89", 503, `"position_not_reached"`},
		{get, "/v1/availability/A1", "", "Holdfast-Min-Position: junk", 400, `"invalid_position"`},
		{get, "/v1/availability/A1", "", `If-None-Match: "4"`, 304, ""},
		{get, "/v1/stock/A%2F2", "", "", 200, `{"sku":"A/2"}`},
		{get, "/v1/stock/A1", "", `If-None-Match: "4"`, 304, ""},
		{get, "/v1/stock/A1", "", "Holdfast-Min-Position: i7.89", 503, `"position_not_reached"`},
		{get, "/v1/stock/A9", "", "", 404, `"unknown_sku"`},
		{get, "/v1/availability/A9", "", "", 404, `"unknown_sku"`},
		{post, "/v1/availability", `{"skus":["A1","zz","A/2"]}`, "", 200, `{"items":[{"sku":"A1"},{"sku":"A/2"}],"unknown":["zz"]}`},
		{post, "/v1/availability", `{"skus":[]}`, "", 400, `"/skus"`},
		{post, "/v1/availability", `{"skus":["A1",""]}`, "", 400, `"/skus/1"`},
		{post, "/v1/availability", `{"skus":["A1"` + strings.Repeat(`,"A1"`, 1_000) + `]}`, "", 400, `"too_many_skus"`},
		{get, "/v1/orders/" + someOrder, "", "", 200, `{}`},
		{get, "/v1/orders/zz", "", "", 404, `"order_not_found"`},
		{get, "/v1/orders?status=open", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?limit=501", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?colour=red", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?cursor=abcd", "", "", 400, `"invalid_cursor"`},
		{get, "/healthz", "", "", 200, `{"status":"ok"}`},
		{get, "/readyz", "", "", 503, `{"status":"not_ready","reasons":["shard 1 restores","no broker"]}`},
	} {
		r := s.do(t, test.method, test.path, test.body, test.header)
		if r.status != test.status || !strings.Contains(r.body, test.want) {
			t.Errorf("%s %s %s: got %d %s, want %d %s", test.method, test.path, test.header, r.status, r.body, test.status, test.want)
		}
		if r.status == 200 && strings.HasPrefix(test.path, "/v1") && (r.header.Get("Holdfast-Position") != "o3.10~i7.88" || r.header.Get("Holdfast-Age-Ms") != "12") {
			t.Errorf("%s does not say how fresh it is: %v", test.path, r.header)
		}
	}
}

func TestCursorsBelongToTheirFilter(t *testing.T) {
	s := newQuerySite(t, &shelf{})
	var page struct {
		Next string `json:"next_cursor"`
	}
	first := s.do(t, http.MethodGet, "/v1/orders?customer_id=c-1&limit=2", "")
	if err := json.Unmarshal([]byte(first.body), &page); err != nil || page.Next == "" {
		t.Fatalf("%s: %v", first.body, err)
	}
	second := s.do(t, http.MethodGet, "/v1/orders?customer_id=c-1&limit=7&cursor="+page.Next, "")
	if !strings.Contains(second.body, `["c-1||next/1",7]`) {
		t.Errorf("second page %s", second.body)
	}
	if foreign := s.do(t, http.MethodGet, "/v1/orders?customer_id=c-2&cursor="+page.Next, ""); foreign.status != 400 {
		t.Errorf("a cursor of another filter got %d", foreign.status)
	}
}

// Found by FuzzListCursor: base64 passes line ends over.
func TestACursorHasOneText(t *testing.T) {
	s := newQuerySite(t, &shelf{})
	cursor := listQuery{customerID: "c-1"}.cursor("place")
	for _, other := range []string{cursor + "%0A", "%0D" + cursor, cursor[:3] + "%0A" + cursor[3:]} {
		if r := s.do(t, http.MethodGet, "/v1/orders?customer_id=c-1&cursor="+other, ""); r.status != 400 || r.problem(t).Code != "invalid_cursor" {
			t.Errorf("%q: %d", other, r.status)
		}
	}
}
