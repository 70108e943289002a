package queries

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/insight"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

const soldText = `name: sold
description: Units sold.
source: sales
rollups: [[month, country, currency], [sku, currency]]
keys:
  month: formatDateTime(time, '%Y-%m')
  country: country
  sku: sku
  currency: currency
measures:
  units: sum(quantity)
  revenue: {sql: sum(toInt128(amount_micros)), unit: money}
  share: {sql: "sumIf(quantity, reason = 'returned') / sumIf(quantity, reason != 'returned')", unit: ratio}
`

// insightShelf is a store with one insight, which has a table.
type insightShelf struct {
	conn    *clickhouse.Conn
	version *insight.Version
	from    insight.Provenance
	// mirrored is how far the mirror is, where that is further.
	mirrored eventlog.Position
}

func (s *insightShelf) Mirrored(context.Context) (analytics.Reached, error) {
	return analytics.Reached{Position: s.from.Position.Merge(s.mirrored), Age: 7 * time.Millisecond}, nil
}

func (s *insightShelf) Ready() error { return nil }

func (s *insightShelf) Conn() *clickhouse.Conn { return s.conn }

func (s *insightShelf) Insights(context.Context) ([]insight.Listed, error) {
	staged := s.from
	staged.State, staged.Age, staged.PromotedAt = insight.Staged, -1, time.Time{}
	return []insight.Listed{
		{Definition: s.version.Definition, Live: &s.from, Staged: []insight.Provenance{staged}},
	}, nil
}

func (s *insightShelf) Find(_ context.Context, name, version string) (*insight.Version, insight.Provenance, error) {
	switch {
	case name != s.version.Name:
		return nil, s.from, insight.ErrNoInsight
	case version != "" && version != s.from.Fingerprint:
		return nil, s.from, insight.ErrNoVersion
	}
	return s.version, s.from, nil
}

// insightSite is a server with an insight over four sales.
type insightSite struct {
	*apitest.Site
	*insightShelf
}

func newInsightSite(t *testing.T) *insightSite {
	t.Helper()
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Migrate(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	const rows = "INSERT INTO sales (offset, country, sku, currency, reason, quantity, amount_micros, counted_at) " +
		"VALUES (1, 'FR', 'A', 'EUR', 'confirmed', 4, 4000000, '2026-01-31 23:30:00'), " +
		"(2, 'FR', 'A', 'EUR', 'returned', -1, -1000000, '2026-01-31 23:30:00'), " +
		"(3, 'DE', 'B, C', 'EUR', 'confirmed', 2, 1105000, '2026-02-01 10:00:00'), " +
		"(4, 'DE', 'A', 'EUR', 'returned', -2, -500000, '2026-02-02 10:00:00')"
	if err := conn.Exec(t.Context(), rows, nil, nil); err != nil {
		t.Fatal(err)
	}
	d, err := insight.Parse("sold.yaml", []byte(soldText))
	if err != nil {
		t.Fatal(err)
	}
	v, err := insight.NewVersion(d, d.TableName("test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Create(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	orders := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	if err := v.Fill(t.Context(), conn, insight.Interval{TopicPartition: orders, UpTo: 5}); err != nil {
		t.Fatal(err)
	}
	s := &insightShelf{conn: conn, version: v, from: insight.Provenance{
		Fingerprint: d.Fingerprint(), Replay: "r-1", State: insight.Live, Age: 42 * time.Millisecond,
		PromotedAt: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), Position: eventlog.PositionOf(eventlog.Offsets{orders: 5}),
	}}
	return &insightSite{apitest.NewSite(t, nil, func(r httpapi.Router) { Register(r, Deps{Insights: s}) }), s}
}

// send sends a request, and returns the answer with its body.
func (s *insightSite) send(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, strings.TrimSuffix(string(text), "\n")
}

// Who has seen a position that the mirror has, but the table has not yet, gets an answer with it at once.
func TestAnswersOfInsightsHaveWhatTheMirrorHas(t *testing.T) {
	s := newInsightSite(t)
	const row = "INSERT INTO sales (offset, country, sku, currency, reason, quantity, amount_micros, counted_at) " +
		"VALUES (5, 'FR', 'A', 'EUR', 'confirmed', 10, 10000000, '2026-02-01 10:00:00')"
	if err := s.conn.Exec(t.Context(), row, nil, nil); err != nil {
		t.Fatal(err)
	}
	s.mirrored = eventlog.PositionOf(eventlog.Offsets{{Topic: eventlog.TopicOrders}: 6})
	for position, want := range map[string]string{
		"o0.5":      `"units":3,"revenue":"3.605"`,
		"o0.6":      `"units":13,"revenue":"13.605"`,
		"o0.6~i0.9": `"units":13,"revenue":"13.605"`, // sales have no rows of stock events
	} {
		answer, text := s.send(t, http.MethodGet, "/v1/insights/sold?by=&measures=units,revenue", "",
			"Holdfast-Min-Position", position)
		if answer.StatusCode != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %s %s, want %s", position, answer.Status, text, want)
		}
		if got := answer.Header.Get("Holdfast-Position"); !strings.HasPrefix(position, got) {
			t.Errorf("%s: the answer is of %s", position, got)
		}
	}
}

func TestAnswersOfInsights(t *testing.T) {
	s := newInsightSite(t)
	provenance := `"position":"o0.5","age_ms":42,"version":{"fingerprint":"` + s.from.Fingerprint +
		`","replay_id":"r-1","state":"live","promoted_at":"2026-03-01T10:00:00Z","position":"o0.5","age_ms":42}`
	for _, c := range []struct{ query, accept, want string }{
		{"by=month", "", `{"items":[{"month":"2026-01","currency":"EUR","units":3,"revenue":"3.00","share":-0.25},` +
			`{"month":"2026-02","currency":"EUR","units":0,"revenue":"0.605","share":-1}],` + provenance + `}`},
		{"by=month&tz=Europe/Berlin&measures=units", "", `{"items":[{"month":"2026-02","currency":"EUR","units":3}],` +
			provenance + `,"computed":"days and months are kept in the zone UTC"}`},
		{"by=sku&measures=revenue,share&order=-revenue", "text/csv",
			"sku,currency,revenue,share\nA,EUR,2.50,-0.75\n\"B, C\",EUR,1.105,0"},
		{"by=&measures=units&country=FR&country=DE&from=2026-02-01", "application/x-ndjson", `{"currency":"EUR","units":0}`},
		{"by=country&measures=units&from=2026-02-01T11:00:00%2B01:00&version=" + s.from.Fingerprint, "application/x-ndjson",
			`{"country":"DE","currency":"EUR","units":0}`},
		{"by=country&measures=share&country=DE&to=2026-02-02", "text/csv", "country,currency,share\nDE,EUR,0"},
		{"by=country&measures=share&from=2026-02-02", "application/x-ndjson",
			`{"country":"DE","currency":"EUR","share":null}`},
		{"sku=none", "text/csv", "month,country,sku,currency,units,revenue,share"},
	} {
		answer, body := s.send(t, http.MethodGet, "/v1/insights/sold?"+c.query, "", "Accept", c.accept)
		if answer.StatusCode != http.StatusOK || body != c.want {
			t.Errorf("%s: %d\n%s\nwant\n%s", c.query, answer.StatusCode, body, c.want)
		}
		if h := answer.Header; h.Get("Holdfast-Position") != "o0.5" || h.Get("Holdfast-Age-Ms") != "42" ||
			h.Get("Vary") != "Accept" {
			t.Errorf("%s: headers %v", c.query, h)
		}
	}
}

func TestPagesOfInsights(t *testing.T) {
	s := newInsightSite(t)
	const query = "/v1/insights/sold?by=sku&measures=units&order=units&limit=1"
	answer, body := s.send(t, http.MethodGet, query, "", "Accept", "application/x-ndjson")
	next := "&cursor=" + url.QueryEscape(answer.Header.Get("Holdfast-Next-Cursor"))
	if body != `{"sku":"A","currency":"EUR","units":1}` {
		t.Fatal(body)
	}
	answer, body = s.send(t, http.MethodGet, query+next, "", "Accept", "application/x-ndjson")
	if body != `{"sku":"B, C","currency":"EUR","units":2}` || answer.Header["Holdfast-Next-Cursor"] != nil {
		t.Fatalf("%s %v", body, answer.Header)
	}
	answer, body = s.send(t, http.MethodGet, query+next+"&sku=A", "")
	if answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, "invalid_cursor") {
		t.Fatalf("another query: %d %s", answer.StatusCode, body)
	}
}

func TestFaultsOfQuestionsToInsights(t *testing.T) {
	s := newInsightSite(t)
	for _, c := range []struct {
		query, header string
		status        int
		want          string
	}{
		{"?colour=red", "", 400, `"pointer":"/colour","detail":"the insight has no such parameter, or it is given twice; ` +
			`the parameters are month, country, sku, currency, by, measures, from, to, tz, order, limit, cursor, version"`},
		{"?by=month&by=sku", "", 400, `"pointer":"/by"`},
		{"?by=colour", "", 400, `"pointer":"/by","detail":"names \"colour\", which is no key; there are month, country`},
		{"?tz=%00%FF", "", 400, `"pointer":"/tz","detail":"must be a time zone`},
		{"?by=sku&tz=Asia/Tokyo", "", 400, `"pointer":"/tz","detail":"makes no difference`},
		{"?from=yesterday", "", 400, `"pointer":"/from","detail":"must be a day`},
		{"?limit=many", "", 400, `"pointer":"/limit","detail":"must be from 1 to 5000"`},
		{"?limit=0", "", 400, `"pointer":"/limit","detail":"must be from 1 to 5000"`},
		{"?order=-x", "", 400, `"pointer":"/order"`},
		{"?cursor=AAAA", "", 400, "invalid_cursor"},
		{"?a=%zz", "", 400, "The query cannot be read"},
		{"?version=0", "", 404, "unknown_insight_version"},
		{"", "x", 400, "invalid_position"},
		{"", "o0.6", 503, `"reached":"o0.5"`},
		{"", "o0.5~i3.9", 200, `"position":"o0.5"`}, // the source has no events of stock
	} {
		headers := []string{}
		if c.header != "" {
			headers = []string{"Holdfast-Min-Position", c.header}
		}
		s.Unchecked = true
		answer, body := s.send(t, http.MethodGet, "/v1/insights/sold"+c.query, "", headers...)
		if answer.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.query, c.header, answer.StatusCode, body, c.status, c.want)
		}
	}
	if answer, body := s.send(t, http.MethodGet, "/v1/insights/bought", ""); answer.StatusCode != http.StatusNotFound ||
		!strings.Contains(body, "unknown_insight") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

func TestTheListOfInsights(t *testing.T) {
	s := newInsightSite(t)
	answer, body := s.send(t, http.MethodGet, "/v1/insights", "")
	version := `{"fingerprint":"` + s.from.Fingerprint + `","replay_id":"r-1","state":`
	want := `{"items":[{"name":"sold","description":"Units sold.","source":"sales","zone":"UTC",` +
		`"keys":["month","country","sku","currency"],"measures":[{"name":"units","unit":"count"},` +
		`{"name":"revenue","unit":"money"},{"name":"share","unit":"ratio"}],` +
		`"rollups":[["month","country","currency"],["sku","currency"]],"live":` + version +
		`"live","promoted_at":"2026-03-01T10:00:00Z","position":"o0.5","age_ms":42},"staged":[` + version +
		`"staged","position":"o0.5"}]}]}`
	if answer.StatusCode != http.StatusOK || body != want {
		t.Errorf("%d\n%s\nwant\n%s", answer.StatusCode, body, want)
	}
	s.Unchecked = true
	if answer, _ = s.send(t, http.MethodGet, "/v1/insights?x=1", ""); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown parameter: %d", answer.StatusCode)
	}
}

func TestPreviewsOfInsights(t *testing.T) {
	s := newInsightSite(t)
	const text = "name: units\ndescription: d\nsource: sales\nkeys: {sku: sku}\nmeasures: {units: sum(quantity)}\n"
	want := `"items":[{"sku":"A","units":1}],"more":true}`
	for contentType, body := range map[string]string{
		"application/yaml": text,
		"application/json": `{"definition":"` + strings.ReplaceAll(text, "\n", `\n`) + `"}`,
	} {
		answer, got := s.send(t, http.MethodPost, "/v1/insights/preview?limit=1", body, "Content-Type", contentType)
		if answer.StatusCode != http.StatusOK || !strings.HasSuffix(got, want) || !strings.HasPrefix(got, `{"name":"units"`) {
			t.Errorf("%s: %d %s", contentType, answer.StatusCode, got)
		}
	}
	s.Unchecked = true
	for _, c := range []struct {
		contentType, query, body string
		status                   int
		want                     string
	}{
		{"application/yaml", "", strings.Replace(text, "quantity", "quantityy", 1), 422,
			`"errors":[{"pointer":"/measures/units","detail":"there is no column quantityy: the source sales has`},
		{"application/yaml", "", "name: [", 422, `"line":1}]`},
		{"application/yaml", "", text + "rollups: [[x]]\n", 422, `"pointer":"/rollups/0"`},
		{"application/yaml", "?limit=10001", text, 400, `"pointer":"/limit"`},
		{"application/yaml", "?x=1", text, 400, `"pointer":"/x"`},
		{"application/json", "", `{}`, 400, "missing_field"},
		{"application/json", "", `{"text":1}`, 400, "unknown_field"},
		{"text/plain", "", text, 415, "application/yaml or application/json"},
	} {
		answer, got := s.send(t, http.MethodPost, "/v1/insights/preview"+c.query, c.body, "Content-Type", c.contentType)
		if answer.StatusCode != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s%s %s: %d %s, want %d %s", c.contentType, c.query, c.body, answer.StatusCode, got, c.status, c.want)
		}
	}
}

func TestOnePreviewAtATime(t *testing.T) {
	api := &insightAPI{}
	api.previewing.Lock()
	s := apitest.NewSite(t, nil, func(r httpapi.Router) { r.Add(http.MethodPost, "/v1/insights/preview", api.preview) })
	const text = "name: units\ndescription: d\nsource: sales\nmeasures: {units: sum(quantity)}\n"
	answer, body := (&insightSite{Site: s}).send(t, http.MethodPost, "/v1/insights/preview", text,
		"Content-Type", "application/yaml")
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "1" ||
		!strings.Contains(body, "preview_busy") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

// CSV has all rows of an insight, also more than a page may have, whether they are kept or computed.
func TestCSVOfAnInsightHasAllRows(t *testing.T) {
	s := newInsightSite(t)
	const items = 2*insight.MaxAnswerRows + 1
	rows := fmt.Sprintf("INSERT INTO sales (offset, country, sku, currency, reason, quantity, amount_micros, counted_at) "+
		"SELECT 5 + number, 'FR', concat('N-', toString(number)), 'EUR', 'confirmed', 1, 1000000, '2026-02-01 23:30:00' "+
		"FROM numbers(%d)", items)
	if err := s.conn.Exec(t.Context(), rows, nil, nil); err != nil {
		t.Fatal(err)
	}
	orders := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	filling := insight.Interval{TopicPartition: orders, From: 5, UpTo: 5 + items}
	if err := s.version.Fill(t.Context(), s.conn, filling); err != nil {
		t.Fatal(err)
	}
	s.from.Position = eventlog.PositionOf(eventlog.Offsets{orders: 5 + items})
	for query, want := range map[string]int{
		"by=sku&measures=units":                          items + 2,
		"by=sku&measures=units&order=-units":             items + 2,
		"by=sku,month&measures=units&tz=Europe/London":   items + 3,
		"by=sku,country&measures=units&country=FR&sku=A": 1,
	} {
		answer, body := s.send(t, http.MethodGet, "/v1/insights/sold?"+query, "", "Accept", "text/csv")
		if lines := strings.Count(body, "\n"); answer.StatusCode != http.StatusOK || lines != want ||
			answer.Trailer.Get("Holdfast-Rows") != strconv.Itoa(want) {
			t.Errorf("%s: %s, %d lines, trailer %v, want %d", query, answer.Status, lines, answer.Trailer, want)
		}
	}
	answer, body := s.send(t, http.MethodGet, "/v1/insights/sold?limit=5000", "", "Accept", "text/csv")
	if answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"pointer":"/limit"`) {
		t.Errorf("with a limit: %s %s", answer.Status, body)
	}
	answer, body = s.send(t, http.MethodGet, "/v1/insights/none", "", "Accept", "text/csv")
	if answer.StatusCode != http.StatusNotFound || !strings.Contains(body, "unknown_insight") {
		t.Errorf("of none: %s %s", answer.Status, body)
	}
}
