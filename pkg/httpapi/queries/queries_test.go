package queries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/live"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/replay"
)

// shelf is both views at a fixed place.
type shelf struct {
	reached eventlog.Position
	rows    map[string]string
	broken  error
	// starting is why the view has not started.
	starting error
	// lateSince is when it was last at the end of the log; zero: it is now.
	lateSince time.Time
}

func (s *shelf) Reached() eventlog.Position { return s.reached }
func (s *shelf) Age() time.Duration         { return 12 * time.Millisecond }
func (s *shelf) Started() error             { return s.starting }

func (s *shelf) WaitFor(_ context.Context, p eventlog.Position) error {
	if !s.reached.Reaches(p) {
		return context.DeadlineExceeded // as after the wait
	}
	return nil
}

// WaitForTime is as of a view that was at the end of the log at lateSince, if that is set.
func (s *shelf) WaitForTime(_ context.Context, at time.Time) error {
	if !s.lateSince.IsZero() && at.After(s.lateSince) {
		return context.DeadlineExceeded // as after the wait
	}
	return nil
}

func (s *shelf) Row(sku string) ([]byte, uint64, bool) {
	row, ok := s.rows[sku]
	return []byte(row), 4, ok
}

func (s *shelf) Stock(sku string) ([]byte, uint64, bool) { return s.Row(sku) }

func (s *shelf) OrderAt(id string, m *asof.Moment) ([]byte, uint64, bool, error) {
	row, ok := s.rows[id+momentName(m)]
	return []byte(row), 4, ok, s.broken
}

func (s *shelf) List(_ context.Context, f orderview.Filter, after string, limit int) ([][]byte, string, error) {
	filter := f.CustomerID + "|" + f.Status + "|" + after
	if f.Metadata != nil {
		filter = fmt.Sprint(f.Metadata, "|", filter)
	}
	if f.Number != 0 {
		filter = fmt.Sprintf("%d|%s", f.Number, filter)
	}
	return [][]byte{fmt.Appendf(nil, "%q", filter), fmt.Append(nil, limit)}, "next/1", nil
}

func (s *shelf) Each(_ context.Context, f orderview.Filter, row func(*orderview.Order) error) error {
	placed := time.Date(2026, 3, 1, 10, 0, 0, 5000, time.UTC)
	for i := range 5_000 {
		o := &orderview.Order{
			ID: fmt.Sprint("o-", i), Number: uint64(12 + i), Kind: "order", Version: 4,
			Status: f.Status, CustomerID: f.CustomerID, Metadata: f.Metadata,
			Currency: "JPY", Total: "16",
			Lines:    []orderview.Line{{SKU: "A1", Quantity: 3, Cancelled: 1}, {SKU: "A2", Quantity: 2}},
			Timeline: []orderview.Entry{{OccurredAt: placed}},
		}
		if err := row(o); err != nil {
			return err
		}
		if s.broken != nil && i == 4_000 {
			return s.broken
		}
	}
	return nil
}

// Orders as CSV are all that the filter has, however many a page has.
func TestOrdersAsCSV(t *testing.T) {
	reached, err := eventlog.ParsePosition("o3.10~i7.88")
	if err != nil {
		t.Fatal(err)
	}
	v := &shelf{reached: reached}
	s := newQuerySite(t, v)
	ask := func(query string) (*http.Response, string, error) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/orders"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/csv")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return answer, string(body), err
	}
	answer, body, err := ask("?customer_id=%3Dc-1&status=placed")
	const want = "order_id,number,kind,placed_at,version,status,payment_status,fulfilment_status,return_status," +
		"customer_id,country,reference,lines,units,currency,subtotal,discount_total,charge_total,tax_total,total," +
		"authorized,captured,voided,refunded,refund_due,goodwill,payment_due,payment_deadline,metadata\n" +
		"o-0,12,order,2026-03-01T10:00:00.000005Z,4,placed,,,,'=c-1,,,2,4,JPY,,,,,16,,,,,,,,,\no-1,13,order,"
	if err != nil || !strings.HasPrefix(body, want) || strings.Count(body, "\n") != 5_001 ||
		answer.Trailer.Get("Holdfast-Rows") != "5000" || answer.Header.Get("Holdfast-Position") != "o3.10~i7.88" ||
		answer.Header.Get("Content-Disposition") != `attachment; filename="orders.csv"` {
		t.Errorf("%v %v %v\n%.600s\nwant\n%s", err, answer.Header, answer.Trailer, body, want)
	}
	if _, body, err = ask("?metadata[b.c]=2&metadata[a]=%22x%22"); err != nil ||
		!strings.Contains(body, `,JPY,,,,,16,,,,,,,,,"{""a"":""\""x\"""",""b.c"":""2""}"`+"\n") {
		t.Errorf("with metadata: %v %.600s", err, body)
	}
	for _, parameter := range []string{"limit", "cursor"} {
		answer, body, err := ask("?" + parameter + "=5")
		if err != nil || answer.StatusCode != http.StatusBadRequest ||
			!strings.Contains(body, `{"pointer":"/`+parameter+`"`) {
			t.Errorf("with %s: %v %s %s", parameter, err, answer.Status, body)
		}
	}
	v.broken = errors.New("the disk is gone")
	if _, body, err = ask(""); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken off: %v, %d bytes", err, len(body))
	}
}

func newQuerySite(t *testing.T, v *shelf) *apitest.Site {
	t.Helper()
	ready := func() error { return errors.Join(errors.New("shard 1 restores"), errors.New("no broker")) }
	s := apitest.NewSite(t, ready, func(r httpapi.Router) {
		Register(r, Deps{Availability: v, Ledger: pastShelf{v}, Orders: v})
	})
	s.Unchecked = true // the shelf has what a test puts there
	return s
}

// The routes are those of schemas/openapi.yaml, no more and no fewer.
func TestRoutesAreThoseOfTheSpecification(t *testing.T) {
	var specified []string
	for _, op := range apitest.Open(t).Operations() {
		if op.IsRead() {
			specified = append(specified, op.Method+" "+op.Path)
		}
	}
	slices.Sort(specified)
	routes := apitest.Routes(func(r httpapi.Router) {
		Register(r, Deps{
			Availability: &shelf{}, Ledger: pastShelf{}, Orders: &shelf{}, Events: &live.Feed{}, Reports: &ledger{},
			Insights: &insightShelf{}, Streams: &Streams{},
			Replays: &replay.Service{},
		})
	})
	if !slices.Equal(routes, specified) {
		t.Errorf("routes\n got %v\nwant %v", routes, specified)
	}
}

func TestQueries(t *testing.T) {
	reached, err := eventlog.ParsePosition("o3.10~i7.88")
	if err != nil {
		t.Fatal(err)
	}
	s := newQuerySite(t, &shelf{reached: reached,
		rows: map[string]string{"A1": `{"sku":"A1"}`, "A/2": `{"sku":"A/2"}`, "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11": `{}`}})
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
		{get, "/v1/availability/A1", "", "+Holdfast-Min-Position: ", 400, `"invalid_position"`},
		{get, "/v1/availability/A1", "", `If-None-Match: "4"`, 304, ""},
		{get, "/v1/stock/A%2F2", "", "", 200, `{"sku":"A/2"}`},
		{get, "/v1/stock/A1", "", `If-None-Match: "4"`, 304, ""},
		{get, "/v1/stock/A1", "", "Holdfast-Min-Position: i7.89", 503, `"position_not_reached"`},
		{get, "/v1/stock/A9", "", "", 404, `"unknown_sku"`},
		{get, "/v1/availability/A9", "", "", 404, `"unknown_sku"`},
		{post, "/v1/availability", `{"skus":["A1","zz","A/2"]}`, "", 200,
			`{"items":[{"sku":"A1"},{"sku":"A/2"}],"unknown":["zz"]}`},
		{post, "/v1/availability?as_of=i7.80", `{"skus":["A1"]}`, "", 400, `"/as_of"`},
		{post, "/v1/availability", `{"skus":[]}`, "", 400, `"/skus"`},
		{post, "/v1/availability", `{"skus":["A1",""]}`, "", 400, `"/skus/1"`},
		{post, "/v1/availability", `{"skus":["A1"` + strings.Repeat(`,"A1"`, 1_000) + `]}`, "", 400, `"too_many_skus"`},
		{get, "/v1/orders/" + "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11", "", "", 200, `{}`},
		{get, "/v1/orders/zz", "", "", 404, `"order_not_found"`},
		{get, "/v1/orders?status=open", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?limit=501", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?limit=", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?status=", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?number=", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?metadata%5Berp.id%5D=4711&metadata[channel]=a=b", "", "", 200,
			`{"items":["map[channel:a=b erp.id:4711]|||",50]`},
		{get, "/v1/orders?metadata[channel]=", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?metadata[]=web", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?metadata[channel]=%00", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?metadata[channel]=a&metadata[channel]=b", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?metadata=web", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?metadata[k=web", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?" + manyEntries(), "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?number=0", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?number=-12", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?number=9223372036854775808", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?number=12&number=13", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?number=12&status=placed", "", "", 200, `{"items":["12||placed|",50]`},
		{get, "/v1/orders?colour=red", "", "", 400, `"invalid_parameter"`},
		{get, "/v1/orders?cursor=abcd", "", "", 400, `"invalid_cursor"`},
		{get, "/healthz", "", "", 200, `{"status":"ok"}`},
		{get, "/readyz", "", "", 503, `{"status":"not_ready","reasons":["shard 1 restores","no broker"]}`},
	} {
		r := s.Do(t, test.method, test.path, test.body, test.header)
		if r.Status != test.status || !strings.Contains(r.Body, test.want) {
			t.Errorf("%s %s %s: got %d %s, want %d %s", test.method, test.path, test.header, r.Status, r.Body, test.status,
				test.want)
		}
		if r.Status == 200 && strings.HasPrefix(test.path, "/v1") &&
			(r.Header.Get("Holdfast-Position") != "o3.10~i7.88" || r.Header.Get("Holdfast-Age-Ms") != "12") {
			t.Errorf("%s does not say how fresh it is: %v", test.path, r.Header)
		}
	}
}

func TestCursorsBelongToTheirFilter(t *testing.T) {
	s := newQuerySite(t, &shelf{})
	var page struct {
		Next string `json:"next_cursor"`
	}
	first := s.Do(t, http.MethodGet, "/v1/orders?customer_id=c-1&limit=2", "")
	if err := json.Unmarshal([]byte(first.Body), &page); err != nil || page.Next == "" {
		t.Fatalf("%s: %v", first.Body, err)
	}
	second := s.Do(t, http.MethodGet, "/v1/orders?customer_id=c-1&limit=7&cursor="+page.Next, "")
	if !strings.Contains(second.Body, `["c-1||next/1",7]`) {
		t.Errorf("second page %s", second.Body)
	}
	for _, filter := range []string{"customer_id=c-2", "customer_id=c-1&number=12"} {
		if foreign := s.Do(t, http.MethodGet, "/v1/orders?"+filter+"&cursor="+page.Next, ""); foreign.Status != 400 {
			t.Errorf("a cursor of another filter got %d for %s", foreign.Status, filter)
		}
	}
}

// base64 passes line ends over.
func TestACursorHasOneText(t *testing.T) {
	s := newQuerySite(t, &shelf{})
	cursor := encodeCursor(url.Values{"customer_id": {"c-1"}}, "place")
	for _, other := range []string{cursor + "%0A", "%0D" + cursor, cursor[:3] + "%0A" + cursor[3:]} {
		if r := s.Do(t, http.MethodGet, "/v1/orders?customer_id=c-1&cursor="+other, ""); r.Status != 400 ||
			r.Problem(t).Code != "invalid_cursor" {
			t.Errorf("%q: %d", other, r.Status)
		}
	}
}

// HEAD says what GET would, without the body.
func TestHeadAnswersWhereGetDoes(t *testing.T) {
	const order = "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11"
	s := newQuerySite(t, &shelf{rows: map[string]string{"A1": `{"sku":"A1"}`, order: `{"order_id":"x"}`}})
	for path, status := range map[string]int{
		"/healthz": 200, "/readyz": 503, "/v1/availability/A1": 200, "/v1/stock/A1": 200,
		"/v1/orders/" + order: 200, "/v1/orders/" + strings.ToUpper(order): 200, "/v1/orders": 200, "/v1/stock/B1": 404,
	} {
		get, head := s.Do(t, http.MethodGet, path, ""), s.Do(t, http.MethodHead, path, "")
		if get.Status != status || head.Status != status || head.Body != "" ||
			head.Header.Get("Content-Type") != get.Header.Get("Content-Type") ||
			head.Header.Get("Etag") != get.Header.Get("Etag") {
			t.Errorf("%s: GET %d %v, HEAD %d %v %q", path, get.Status, get.Header, head.Status, head.Header, head.Body)
		}
		if length := fmt.Sprint(len(get.Body)); head.Header.Get("Content-Length") != length {
			t.Errorf("%s: Content-Length %q, want %s", path, head.Header.Get("Content-Length"), length)
		}
	}
}

// manyEntries are one more than an order can have.
func manyEntries() string {
	var query []string
	for i := range limits.MaxMetadataEntries + 1 {
		query = append(query, fmt.Sprintf("metadata[k%d]=v", i))
	}
	return strings.Join(query, "&")
}

// TestAStartingViewSaysSo: what a view that is read from the log does not have may be there all the same.
func TestAStartingViewSaysSo(t *testing.T) {
	const order = "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11"
	view := &shelf{
		starting: errors.New("the view orders is catching up: 7 records of the log to go"),
		rows:     map[string]string{"A1": `{"sku":"A1"}`, order: `{}`},
	}
	s := newQuerySite(t, view)
	missing := []string{
		"/v1/availability/A9", "/v1/stock/A9", "/v1/orders/zz", "/v1/orders", "/v1/availability", "/v1/stock/A1/ledger",
		"/v1/stock-changes?from=2026-03-01T10:00:00Z",
	}
	ask := func(path string) apitest.Reply { return s.Do(t, http.MethodGet, path, "") }
	for _, path := range missing {
		if r := ask(path); r.Status != 503 || !strings.Contains(r.Body, "7 records of the log to go") ||
			r.Problem(t).Code != "view_starting" {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	many := `{"skus":["A1","A9"]}`
	if r := s.Do(t, http.MethodPost, "/v1/availability", many); r.Status != 503 {
		t.Errorf("many: %d %s", r.Status, r.Body)
	}
	// What it has is as it was, and answers say of when.
	for _, path := range []string{"/v1/availability/A1", "/v1/stock/A1", "/v1/orders/" + order} {
		if r := ask(path); r.Status != 200 {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	view.starting = nil
	if r := s.Do(t, http.MethodPost, "/v1/availability", many); r.Status != 200 || ask("/v1/stock/A9").Status != 404 {
		t.Errorf("once it has started: %d %s", r.Status, r.Body)
	}
}
