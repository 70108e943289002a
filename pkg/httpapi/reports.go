package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/shard"
)

// ReportStore answers from the mirror in ClickHouse.
type ReportStore interface {
	// Await waits until the mirror covers the position, and says how far it is even when ctx ends first.
	Await(ctx context.Context, p eventlog.Position) (analytics.Coverage, error)
	Revenue(ctx context.Context, q analytics.ReportQuery) (*analytics.Report, error)
	StockMovements(ctx context.Context, q analytics.ReportQuery) (*analytics.Report, error)
}

// Limits of reports.
const (
	DefaultReportPage = 100
	MaxReportPage     = 5_000
	// ReportTimeout bounds one report.
	ReportTimeout = 60 * time.Second
)

// report is one route.
type report struct {
	store ReportStore
	by    []analytics.Dimension
	// parameters are the names that the query takes.
	parameters []string
	ask        func(context.Context, analytics.ReportQuery) (*analytics.Report, error)
}

func registerReports(router Router, store ReportStore) {
	revenue := &report{store, analytics.RevenueDimensions, []string{"by", "from", "to", "currency", "sku", "limit", "cursor"}, store.Revenue}
	stock := &report{store, analytics.StockDimensions, []string{"by", "from", "to", "sku", "location", "limit", "cursor"}, store.StockMovements}
	router.Add(http.MethodGet, "/v1/reports/revenue", revenue.answer)
	router.Add(http.MethodGet, "/v1/reports/stock-movements", stock.answer)
}

func (r *report) answer(c echo.Context) error {
	parameters, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil { // what cannot be read must not be left out of the question
		return &command.Problem{Code: command.CodeBadParameter, Detail: "The query cannot be read: write %25 for a % and %3B for a ; in it."}
	}
	query, err := r.parse(parameters)
	if err != nil {
		return err
	}
	format, err := chooseFormat(c.Request().Header)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), ReportTimeout)
	defer cancel()
	coverage, err := r.await(ctx, c.Request().Header)
	if err != nil {
		return err
	}
	page, err := r.ask(ctx, query)
	switch {
	case errors.Is(err, analytics.ErrCursor):
		return badCursor()
	case errors.Is(err, context.DeadlineExceeded), clickhouse.IsTooMuch(err):
		return &command.Problem{Code: shard.CodeUnavailable, Detail: "The report needs more time or memory than it may take: ask for a shorter time (from, to).", Cause: err}
	case err != nil:
		return unavailable(err)
	}
	if page.Next != "" {
		page.Next = r.cursor(parameters, page.Next)
	}
	header := c.Response().Header()
	header["Holdfast-Position"] = []string{coverage.Position.String()}
	if coverage.Age >= 0 {
		header["Holdfast-Age-Ms"] = []string{strconv.FormatInt(coverage.Age.Milliseconds(), 10)}
	}
	if page.Next != "" {
		header["Holdfast-Next-Cursor"] = []string{page.Next}
	}
	buf := takeBuffer()
	defer buf.release()
	buf.b = format.write(buf.b, page, coverage)
	return writeBody(c, http.StatusOK, format.contentType, buf.b)
}

// await waits for the position that the client has seen.
func (r *report) await(ctx context.Context, header http.Header) (analytics.Coverage, error) {
	position, err := eventlog.ParsePosition(headerValue(header, "Holdfast-Min-Position"))
	if err != nil {
		return analytics.Coverage{}, &command.Problem{Code: command.CodeBadPosition, Detail: "Send back a Holdfast-Position as you got it."}
	}
	waiting, cancel := context.WithTimeout(ctx, MaxPositionWait)
	defer cancel()
	coverage, err := r.store.Await(waiting, position)
	switch {
	case err == nil:
		return coverage, nil
	case ctx.Err() == nil && waiting.Err() != nil && !position.IsZero():
		return coverage, &command.Problem{
			Code: command.CodePosition, RetryAfterSeconds: 1, Reached: coverage.Position.String(),
			Detail: "The mirror did not reach the position within " + MaxPositionWait.String() + ".",
		}
	}
	return coverage, unavailable(err)
}

// unavailable hides what ClickHouse said; the log has it.
func unavailable(err error) error {
	var refused *clickhouse.Error
	var old *clickhouse.VersionError
	var schema *clickhouse.SchemaError
	p := &command.Problem{Code: shard.CodeUnavailable, RetryAfterSeconds: 1, Cause: err}
	switch {
	case errors.As(err, &old), errors.As(err, &schema), clickhouse.IsMissing(err):
		p.Detail = "Reports cannot be had now: ClickHouse or its tables are not what this version needs. The log says what to do. The rest of the API goes on."
	case errors.As(err, &refused), errors.Is(err, context.DeadlineExceeded):
		p.Detail = "Reports cannot be had now: ClickHouse does not answer as it should. The rest of the API goes on."
	default:
		return fmt.Errorf("report: %w", err)
	}
	return p
}

// parse reads the query; faults point to their parameters.
func (r *report) parse(parameters url.Values) (analytics.ReportQuery, error) {
	q := analytics.ReportQuery{Limit: DefaultReportPage}
	var faults []command.FieldError
	fault := func(name, detail string) {
		faults = append(faults, command.FieldError{Pointer: "/" + name, Detail: detail})
	}
	for name, values := range parameters {
		if !slices.Contains(r.parameters, name) || len(values) > 1 {
			fault(name, "the query takes "+strings.Join(r.parameters, ", ")+", each once")
		}
	}
	q.By = analytics.Dimension(parameters.Get("by"))
	if !slices.Contains(r.by, q.By) {
		fault("by", fmt.Sprintf("must be one of %v", r.by))
	}
	for name, target := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text := parameters.Get(name); text != "" {
			at, ok := parseTime(text)
			if !ok {
				fault(name, "must be a day (2011-03-01) or a time (2011-03-01T00:00:00Z) in the years 1900 to 2299")
			}
			*target = at
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		fault("to", "must be after from")
	}
	if q.Currency = parameters.Get("currency"); q.Currency != "" {
		if _, known := money.Lookup(q.Currency); !known {
			fault("currency", "must be the ISO 4217 code of a currency, in capitals, such as GBP")
		}
	}
	if q.SKU = parameters.Get("sku"); q.SKU != "" && command.ValidSKU(q.SKU) != "" {
		fault("sku", command.ValidSKU(q.SKU))
	}
	if q.Location = parameters.Get("location"); !validLocation(q.Location) {
		fault("location", fmt.Sprintf("must be at most %d bytes, without control characters and spaces around it", command.MaxLocationBytes))
	}
	if text := parameters.Get("limit"); text != "" {
		var err error
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > MaxReportPage {
			fault("limit", "must be from 1 to "+strconv.Itoa(MaxReportPage))
		}
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b command.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
		return q, &command.Problem{Code: command.CodeBadParameter, Detail: strings.TrimPrefix(faults[0].Pointer, "/") + " " + faults[0].Detail + ".", Errors: faults}
	}
	return q, r.resume(parameters, &q)
}

func validLocation(location string) bool {
	return len(location) <= command.MaxLocationBytes && strings.TrimSpace(location) == location && !strings.ContainsFunc(location, unicode.IsControl)
}

func parseTime(text string) (time.Time, bool) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	return at.UTC(), err == nil && !at.Before(analytics.FirstTime) && !at.After(analytics.LastTime)
}

// cursor makes a place opaque and ties it to the query, page size left out.
func (r *report) cursor(parameters url.Values, place string) string {
	return base64.RawURLEncoding.EncodeToString(append(check(parameters, place), place...))
}

func (r *report) resume(parameters url.Values, q *analytics.ReportQuery) error {
	cursor := parameters.Get("cursor")
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 4 || r.cursor(parameters, string(raw[4:])) != cursor {
		return badCursor()
	}
	q.After = string(raw[4:])
	return nil
}

func badCursor() error {
	const detail = "Send next_cursor as you got it, with the same query."
	return &command.Problem{Code: command.CodeBadCursor, Detail: detail, Errors: []command.FieldError{{Pointer: "/cursor", Detail: "is not one of this query"}}}
}

func check(parameters url.Values, place string) []byte {
	h := fnv.New32a()
	for _, name := range []string{"by", "from", "to", "currency", "sku", "location"} {
		fmt.Fprintf(h, "%q ", parameters.Get(name))
	}
	fmt.Fprintf(h, "%q", place)
	return h.Sum(nil)
}

// reportFormat is how a page is written.
type reportFormat struct {
	contentType []string
	write       func(b []byte, page *analytics.Report, coverage analytics.Coverage) []byte
}

var (
	csvContentType = []string{"text/csv; charset=utf-8"}
	reportFormats  = map[string]reportFormat{
		"application/json":     {jsonContentType, appendPage},
		"application/x-ndjson": {linesContentType, appendLines},
		"text/csv":             {csvContentType, appendCSV},
	}
)

// chooseFormat takes the first type in Accept that is offered; weights are passed over, but for q=0.
func chooseFormat(header http.Header) (reportFormat, error) {
	accept := strings.Join(header["Accept"], ",")
	if strings.TrimSpace(accept) == "" {
		return reportFormats["application/json"], nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if weight := strings.ReplaceAll(parameters, " ", ""); weight == "q=0" || weight == "q=0.0" {
			continue
		}
		switch name {
		case "*/*", "application/*":
			name = "application/json"
		case "text/*":
			name = "text/csv"
		}
		if format, ok := reportFormats[name]; ok {
			return format, nil
		}
	}
	return reportFormat{}, &command.Problem{Code: command.CodeNotAcceptable, Detail: "Offered here: application/json, application/x-ndjson, text/csv."}
}

func appendPage(b []byte, page *analytics.Report, coverage analytics.Coverage) []byte {
	b = append(b, `{"items":[`...)
	for i, row := range page.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRow(b, page.Columns, row)
	}
	b = append(b, ']')
	if page.Next != "" {
		b = command.AppendString(append(b, `,"next_cursor":`...), page.Next)
	}
	b = command.AppendString(append(b, `,"position":`...), coverage.Position.String())
	if coverage.Age >= 0 {
		b = strconv.AppendInt(append(b, `,"age_ms":`...), coverage.Age.Milliseconds(), 10)
	}
	return append(b, '}')
}

func appendLines(b []byte, page *analytics.Report, _ analytics.Coverage) []byte {
	for _, row := range page.Rows {
		b = append(appendRow(b, page.Columns, row), '\n')
	}
	return b
}

func appendRow(b []byte, columns []analytics.ReportColumn, row []string) []byte {
	b = append(b, '{')
	for i, col := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(command.AppendString(b, col.Name), ':')
		if col.Number {
			b = append(b, row[i]...)
		} else {
			b = command.AppendString(b, row[i])
		}
	}
	return append(b, '}')
}

func appendCSV(b []byte, page *analytics.Report, _ analytics.Coverage) []byte {
	var text strings.Builder
	w := csv.NewWriter(&text)
	heading := make([]string, len(page.Columns))
	for i, col := range page.Columns {
		heading[i] = col.Name
	}
	_ = w.Write(heading) // a strings.Builder takes everything
	_ = w.WriteAll(page.Rows)
	return append(b, text.String()...)
}
