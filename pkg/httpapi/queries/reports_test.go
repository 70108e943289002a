package queries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

// ledger is a mirror at a fixed place with two pages.
type ledger struct {
	reached eventlog.Position
	age     time.Duration
	asked   analytics.ReportQuery
	broken  error
	hangs   bool
}

func (l *ledger) Await(ctx context.Context, p eventlog.Position) (analytics.Reached, error) {
	c := analytics.Reached{Position: l.reached, Age: 42*time.Millisecond + l.age}
	if l.hangs || !l.reached.Reaches(p) {
		<-ctx.Done()
		return c, ctx.Err()
	}
	return c, nil
}

// nothingSold is a SKU that no report has rows of.
const nothingSold = "NONE"

func (l *ledger) Revenue(_ context.Context, q analytics.ReportQuery) (*analytics.Report, error) {
	if l.asked = q; l.broken != nil {
		return nil, l.broken
	}
	page := &analytics.Report{
		Columns: []analytics.ReportColumn{{Name: "country"}, {Name: "orders", Number: true}, {Name: "revenue"}},
		Rows:    [][]string{{`Isle, "of" Man`, "2", "1.105"}, {"EIRE", "1", "-2"}},
	}
	if q.SKU == nothingSold {
		page.Rows = nil
		return page, nil
	}
	if q.After == "" {
		page.Next = `["-2","EIRE","GBP"]`
	}
	return page, nil
}

func (l *ledger) StockMovements(ctx context.Context, q analytics.ReportQuery) (*analytics.Report, error) {
	return l.Revenue(ctx, q)
}

func (l *ledger) StreamRevenue(ctx context.Context, q analytics.ReportQuery, sink analytics.Sink) error {
	report, err := l.Revenue(ctx, q)
	if err == nil {
		err = sink.Begin([]string{"country", "orders", "revenue"})
	}
	for i := 0; err == nil && i < len(report.Rows); i++ {
		err = sink.Row(report.Rows[i])
	}
	return err
}

func (l *ledger) StreamStockMovements(ctx context.Context, q analytics.ReportQuery, sink analytics.Sink) error {
	return l.StreamRevenue(ctx, q, sink)
}

// newReportSite is a site with a ledger's reports, or with those of a store around it.
func newReportSite(t *testing.T, l *ledger, around ...ReportStore) *reportSite {
	t.Helper()
	store := ReportStore(l)
	if len(around) > 0 {
		store = around[0]
	}
	var err error
	if l.reached, err = eventlog.ParsePosition("o3.10~i7.88"); err != nil {
		t.Fatal(err)
	}
	s := apitest.NewSite(t, nil, func(r httpapi.Router) { Register(r, Deps{Reports: store}) })
	s.Unchecked = true
	return &reportSite{s}
}

// reportSite is a server with reports alone.
type reportSite struct{ *apitest.Site }

func (s *reportSite) get(t *testing.T, path, accept, position string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	if position != "" {
		request.Header.Set("Holdfast-Min-Position", position)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// No rows are no lines, and not an empty line that is no JSON.
func TestReportsWithoutRows(t *testing.T) {
	s := newReportSite(t, &ledger{})
	for accept, want := range map[string]string{
		"application/x-ndjson": "",
		"text/csv":             "country,orders,revenue\n",
		"application/json":     `{"items":[],"position":"o3.10~i7.88","age_ms":42}` + "\n",
	} {
		answer, body := s.get(t, "/v1/reports/revenue?by=country&sku="+nothingSold, accept, "")
		if answer.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s: %d %q, want %q", accept, answer.StatusCode, body, want)
		}
	}
}

// What a customer wrote is no formula in a spreadsheet, and numbers stay numbers.
func TestCSVHasNoFormulas(t *testing.T) {
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0", "-1+1": "'-1+1", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "-12.50": "-12.50", "-3": "-3", "EIRE": "EIRE", "": "", "'=1": "'=1",
	} {
		if got := withoutFormula(cell); got != want {
			t.Errorf("%q is written as %q, want %q", cell, got, want)
		}
	}
	s := newReportSite(t, &ledger{})
	answer, _ := s.get(t, "/v1/reports/revenue?by=country", "text/csv", "")
	if got := answer.Header.Get("Content-Disposition"); got != `attachment; filename="revenue.csv"` {
		t.Errorf("the disposition is %q", got)
	}
}

func TestReportsInEveryFormat(t *testing.T) {
	s := newReportSite(t, &ledger{})
	for accept, want := range map[string]struct{ contentType, body string }{
		"": {"application/json",
			`{"items":[{"country":"Isle, \"of\" Man","orders":2,"revenue":"1.105"},{"country":"EIRE","orders":1,"revenue":` +
				`"-2"}],"next_cursor":"`},
		"text/html;q=0.9, application/x-ndjson": {"application/x-ndjson",
			`{"country":"Isle, \"of\" Man","orders":2,"revenue":"1.105"}` + "\n" +
				`{"country":"EIRE","orders":1,"revenue":"-2"}` + "\n"},
		"application/json;q=0, text/*": {"text/csv; charset=utf-8",
			"country,orders,revenue\n\"Isle, \"\"of\"\" Man\",2,1.105\nEIRE,1,-2\n"},
		"*/*": {"application/json", `{"items":[`},
	} {
		answer, body := s.get(t, "/v1/reports/revenue?by=country", accept, "i7.3")
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != want.contentType ||
			!strings.HasPrefix(body, want.body) {
			t.Errorf("%s: %d %s\n%s", accept, answer.StatusCode, answer.Header.Get("Content-Type"), body)
		}
		whole := strings.HasPrefix(want.contentType, "text/csv")
		if h := answer.Header; h.Get("Holdfast-Position") != "o3.10~i7.88" || h.Get("Holdfast-Age-Ms") != "42" ||
			(h.Get("Holdfast-Next-Cursor") == "") != whole || (answer.Trailer.Get("Holdfast-Rows") == "2") != whole {
			t.Errorf("%s: headers %v, trailer %v", accept, h, answer.Trailer)
		}
	}
}

func TestAReportThatWasNeverCurrentHasNoAge(t *testing.T) {
	s := newReportSite(t, &ledger{age: -time.Second})
	answer, body := s.get(t, "/v1/reports/revenue?by=country", "", "")
	if answer.StatusCode != http.StatusOK || answer.Header["Holdfast-Age-Ms"] != nil || strings.Contains(body, "age_ms") {
		t.Errorf("%d %v %s", answer.StatusCode, answer.Header, body)
	}
}

func TestReportsGoOnWhereTheCursorSays(t *testing.T) {
	l := &ledger{}
	s := newReportSite(t, l)
	const query = "/v1/reports/stock-movements?by=location&sku=A1&from=2011-03-01&to=2011-03-31T23:00:00-01:00"
	answer, body := s.get(t, query, "", "")
	if !strings.HasSuffix(body, `"position":"o3.10~i7.88","age_ms":42}`+"\n") {
		t.Fatal(body)
	}
	cursor := "&cursor=" + url.QueryEscape(answer.Header.Get("Holdfast-Next-Cursor"))
	if answer, body = s.get(t, query+cursor+"&limit=7", "", ""); answer.StatusCode != http.StatusOK ||
		strings.Contains(body, "next_cursor") {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	want := analytics.ReportQuery{
		By: analytics.ByLocation, SKU: "A1", Limit: 7, After: `["-2","EIRE","GBP"]`,
		From: time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2011, 4, 1, 0, 0, 0, 0, time.UTC),
	}
	if l.asked != want {
		t.Fatalf("asked for %+v, want %+v", l.asked, want)
	}
	if answer, body = s.get(t, query+"&location=main"+cursor, "", ""); answer.StatusCode != http.StatusBadRequest ||
		!strings.Contains(body, "invalid_cursor") {
		t.Fatalf("another query: %d %s", answer.StatusCode, body)
	}
}

// The years 1900 to 2299 are taken to their ends, as they are written. What lies beyond in UTC has no events.
func TestReportsTakeTheirYearsToTheEnd(t *testing.T) {
	l := &ledger{}
	s := newReportSite(t, l)
	for text, want := range map[string]time.Time{
		"2299-12-31T23:59:59Z":         time.Date(2299, 12, 31, 23, 59, 59, 0, time.UTC),
		"2299-12-31t23:59:59.9z":       time.Date(2299, 12, 31, 23, 59, 59, 900_000_000, time.UTC),
		"2299-12-31T23:59:59-01:00":    analytics.LastTime,
		"2299-12-31":                   time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC),
		"2299-12-31T23:59:59.9999999Z": analytics.LastTime,
		"1900-01-01T00:00:01%2B01:00":  analytics.FirstTime,
	} {
		parameter, asked := "to", &l.asked.To
		if want.Year() == analytics.FirstTime.Year() {
			parameter, asked = "from", &l.asked.From
		}
		answer, body := s.get(t, "/v1/reports/revenue?by=month&"+parameter+"="+text, "", "")
		if answer.StatusCode != http.StatusOK || !asked.Equal(want) {
			t.Errorf("%s: %d %s, asked for %v, want %v", text, answer.StatusCode, body, *asked, want)
		}
	}
}

// Days are those of the time zone that is asked for.
func TestReportsTakeDaysOfATimeZone(t *testing.T) {
	l := &ledger{}
	s := newReportSite(t, l)
	answer, body := s.get(t, "/v1/reports/revenue?by=sku&tz=Europe/London&from=2011-03-27&to=2011-03-28", "", "")
	from, to := time.Date(2011, 3, 27, 0, 0, 0, 0, time.UTC), time.Date(2011, 3, 27, 23, 0, 0, 0, time.UTC)
	if answer.StatusCode != http.StatusOK || !l.asked.From.Equal(from) || !l.asked.To.Equal(to) ||
		l.asked.Zone.String() != "Europe/London" {
		t.Errorf("%d %s, asked for %+v", answer.StatusCode, body, l.asked)
	}
}

// Without tz days and months are those of the platform's zone, and the answer says of which.
func TestReportsTakeTheZoneOfThePlatform(t *testing.T) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{}
	s := &reportSite{apitest.NewSite(t, nil, func(r httpapi.Router) { Register(r, Deps{Reports: l, Zone: zone}) })}
	s.Unchecked = true
	for query, want := range map[string]string{"": "Europe/London", "&tz=Asia/Tokyo": "Asia/Tokyo", "&tz=UTC": "UTC"} {
		answer, body := s.get(t, "/v1/reports/revenue?by=day&from=2011-07-01"+query, "", "")
		in, err := time.LoadLocation(want)
		if err != nil {
			t.Fatal(err)
		}
		if from := time.Date(2011, 7, 1, 0, 0, 0, 0, in); answer.StatusCode != http.StatusOK || !l.asked.From.Equal(from) ||
			l.asked.ZoneName() != want || !strings.Contains(body, `"zone":"`+want+`"`) {
			t.Errorf("%s: %d %s, asked for %+v", query, answer.StatusCode, body, l.asked)
		}
	}
	if _, body := s.get(t, "/v1/reports/revenue?by=country", "", ""); strings.Contains(body, "zone") {
		t.Errorf("by country, the answer has a zone: %s", body)
	}
}

// refused sends a question and compares the problem.
func (s *reportSite) refused(t *testing.T, path, accept, position string, status int, want string) {
	t.Helper()
	answer, body := s.get(t, path, accept, position)
	if answer.StatusCode != status || !strings.Contains(body, want) {
		t.Errorf("%s: %d %s, want %d %s", path, answer.StatusCode, body, status, want)
	}
}

// Every parameter of every report, in every way that it can be wrong.
func TestReportsPointToTheParameterThatIsWrong(t *testing.T) {
	s := newReportSite(t, &ledger{})
	both := []struct{ query, code, pointer string }{
		{"", "invalid_parameter", "/by"},
		{"?by=", "invalid_parameter", "/by"},
		{"?by=week", "invalid_parameter", "/by"},
		{"?by=Month", "invalid_parameter", "/by"},
		{"?by=month&by=day", "invalid_parameter", "/by"},
		{"?by=month&x=1", "invalid_parameter", "/x"},
		{"?by=month&From=2011-01-01", "invalid_parameter", "/From"},
		{"?by=month&from=yesterday", "invalid_parameter", "/from"},
		{"?by=month&from=2011-02-29", "invalid_parameter", "/from"},
		{"?by=month&from=1899-12-31", "invalid_parameter", "/from"},
		{"?by=month&from=2011-01-01T00:00:00", "invalid_parameter", "/from"},
		{"?by=month&from=2011-01-01&from=2011-01-02", "invalid_parameter", "/from"},
		{"?by=month&to=2300-01-01", "invalid_parameter", "/to"},
		{"?by=month&to=now", "invalid_parameter", "/to"},
		{"?by=month&from=2011-01-01&to=2011-01-01", "invalid_parameter", "/to"},
		{"?by=month&from=2011-01-02&to=2011-01-01", "invalid_parameter", "/to"},
		{"?by=month&sku=%20a", "invalid_parameter", "/sku"},
		{"?by=month&sku=a%0A", "invalid_parameter", "/sku"},
		{"?by=month&sku=" + strings.Repeat("x", 65), "invalid_parameter", "/sku"},
		{"?by=month&limit=0", "invalid_parameter", "/limit"},
		{"?by=month&limit=", "invalid_parameter", "/limit"},
		{"?by=month&from=", "invalid_parameter", "/from"},
		{"?by=month&currency=", "invalid_parameter", "/currency"},
		{"?by=month&to=2300-01-01T00:00:00%2B01:00", "invalid_parameter", "/to"},
		{"?by=month&limit=-1", "invalid_parameter", "/limit"},
		{"?by=month&limit=5001", "invalid_parameter", "/limit"},
		{"?by=month&limit=many", "invalid_parameter", "/limit"},
		{"?by=month&limit=99999999999999999999", "invalid_parameter", "/limit"},
		{"?by=month&tz=Mars/Base", "invalid_parameter", "/tz"},
		{"?by=month&tz=", "invalid_parameter", "/tz"},
		{"?by=month&tz=right/Europe/London", "invalid_parameter", "/tz"},
		{"?by=sku&tz=Europe/London", "invalid_parameter", "/tz"},
		{"?by=month&cursor=AAAAAAAA", "invalid_cursor", "/cursor"},
		{"?by=month&cursor=A", "invalid_cursor", "/cursor"},
		{"?by=month&cursor=%21", "invalid_cursor", "/cursor"},
	}
	check := func(path, code, pointer string) {
		t.Helper()
		s.refused(t, path, "", "", http.StatusBadRequest, `"code":"`+code+`"`)
		s.refused(t, path, "", "", http.StatusBadRequest, `"errors":[{"pointer":"`+pointer+`"`)
	}
	for _, c := range both {
		check("/v1/reports/revenue"+c.query, c.code, c.pointer)
		check("/v1/reports/stock-movements"+c.query, c.code, c.pointer)
	}
	for query, pointer := range map[string]string{
		"?by=location": "/by", "?by=month&location=main": "/location", "?by=month&currency=POUND": "/currency",
		"?by=month&currency=gbp": "/currency",
		"?by=month&currency=Gbp": "/currency", "?by=month&currency=XXX": "/currency", "?by=month&currency=%20GB": "/currency",
	} {
		check("/v1/reports/revenue"+query, "invalid_parameter", pointer)
	}
	for query, pointer := range map[string]string{
		"?by=country": "/by", "?by=month&currency=GBP": "/currency", "?by=month&location=%20main": "/location",
		"?by=month&location=a%00":                       "/location",
		"?by=month&location=" + strings.Repeat("x", 65): "/location",
	} {
		check("/v1/reports/stock-movements"+query, "invalid_parameter", pointer)
	}
	s.refused(t, "/v1/reports/revenue?by=month&currency=%zz", "", "", http.StatusBadRequest, "The query cannot be read")
	s.refused(t, "/v1/reports/revenue?by=month;currency=GBP", "", "", http.StatusBadRequest, "The query cannot be read")
	s.refused(t, "/v1/reports/revenue?by=week&limit=0", "", "", http.StatusBadRequest,
		`"errors":[{"pointer":"/by","detail":"must be one of month, day, country, sku, customer"},{"pointer":"/limit"`)
}

func TestReportsRefuse(t *testing.T) {
	l := &ledger{}
	s := newReportSite(t, l)
	const revenue = "/v1/reports/revenue?by=month"
	s.refused(t, revenue, "text/html", "", http.StatusNotAcceptable, "not_acceptable")
	s.refused(t, revenue, "", "x", http.StatusBadRequest, "invalid_position")
	s.refused(t, revenue, "", "o3.11", http.StatusServiceUnavailable, `"reached":"o3.10~i7.88"`)
	l.broken = analytics.ErrCursor
	s.refused(t, revenue, "", "", http.StatusBadRequest, "invalid_cursor")
	l.broken = errors.New("a bug")
	s.refused(t, revenue, "", "", http.StatusInternalServerError, `"code":"internal"`)
}

// What ClickHouse says is for the log; the client is told what it can do.
func TestReportsSayWhatTheClientCanDo(t *testing.T) {
	l := &ledger{}
	s := newReportSite(t, l)
	noMemory := &clickhouse.Error{Code: 241, Remedy: "secret", Err: errors.New("inside")}
	for _, c := range []struct {
		broken error
		status int
		want   string
	}{
		{&clickhouse.Error{Remedy: "secret", Err: errors.New("inside")}, 503, "ClickHouse does not answer as it should"},
		{&clickhouse.SchemaError{}, 503, "are not what this version needs"},
		{&clickhouse.VersionError{}, 503, "ClickHouse or its tables are not what"},
		{&clickhouse.Error{Code: 60, Remedy: "secret", Err: errors.New("inside")}, 503, "are not what this version needs"},
		{fmt.Errorf("ClickHouse: %w", context.DeadlineExceeded), 422, "ask for a shorter time (from, to)"},
		{noMemory, 422, "more time or memory than it may take"},
		{&analytics.ReportTooLargeError{Limits: analytics.WholeAnswer, Err: noMemory}, 422,
			"the 10m0s or the 2048 MiB of memory"},
	} {
		l.broken = c.broken
		answer, body := s.get(t, "/v1/reports/revenue?by=month", "text/csv", "")
		if answer.StatusCode != c.status || !strings.Contains(body, c.want) || strings.Contains(body, "secret") ||
			strings.Contains(body, "inside") {
			t.Errorf("%v: %d %s, want %d %q", c.broken, answer.StatusCode, body, c.status, c.want)
		}
	}
}

func TestAReportOfAClickHouseThatHangsDoesNotBlameThePosition(t *testing.T) {
	s := newReportSite(t, &ledger{hangs: true})
	s.refused(t, "/v1/reports/revenue?by=month", "", "", http.StatusServiceUnavailable,
		"ClickHouse does not answer as it should")
}

// Which format an answer has follows RFC 9110, 12.5.1; caches learn that it does.
func TestReportsHonourAccept(t *testing.T) {
	s := newReportSite(t, &ledger{})
	for accept, want := range map[string]string{
		"application/json;q=0":                      "",
		"application/json; q=0.000, text/html":      "",
		"application/json;q=0, */*":                 "application/x-ndjson",
		"application/json;q=0.5, text/csv":          "text/csv; charset=utf-8",
		"text/csv;q=0.5, application/x-ndjson;q=.6": "application/x-ndjson",
		"text/*;q=0.9, application/*;q=0.8":         "text/csv; charset=utf-8",
		"*/*;q=0.1, text/csv;q=0":                   "application/json",
		"application/x-ndjson, application/json":    "application/x-ndjson",
		"text/csv, */*":                             "text/csv; charset=utf-8",
		"Text/CSV; header=present":                  "text/csv; charset=utf-8",
		"text/csv;q=7, application/json;q=0.1":      "application/json",
	} {
		answer, body := s.get(t, "/v1/reports/revenue?by=country", accept, "")
		got := answer.Header.Get("Content-Type")
		if want == "" && answer.StatusCode != http.StatusNotAcceptable || want != "" && got != want {
			t.Errorf("%s: %d %s %s, want %s", accept, answer.StatusCode, got, body, want)
		}
		if answer.Header.Get("Vary") != "Accept" {
			t.Errorf("%s: Vary is %q", accept, answer.Header.Get("Vary"))
		}
	}
}
