package queries

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
)

// ReportStore answers from the mirror in ClickHouse.
type ReportStore interface {
	// Await waits until the mirror covers the position, and says how far it is even when ctx ends first.
	Await(ctx context.Context, p eventlog.Position) (analytics.Reached, error)
	Revenue(ctx context.Context, q analytics.ReportQuery) (*analytics.Report, error)
	StreamRevenue(ctx context.Context, q analytics.ReportQuery, sink analytics.Sink) error
	StockMovements(ctx context.Context, q analytics.ReportQuery) (*analytics.Report, error)
	StreamStockMovements(ctx context.Context, q analytics.ReportQuery, sink analytics.Sink) error
}

// Limits of reports.
const (
	DefaultReportPage = 100
	MaxReportPage     = 5_000
	// ReportTimeout bounds one page of a report.
	ReportTimeout = 60 * time.Second
)

// report is one route.
type report struct {
	name    string
	store   ReportStore
	of      eventlog.Incarnation
	streams csvStreams
	// zone is that of days and months where the query names none; nil: UTC.
	zone *time.Location
	by   []analytics.Dimension
	// parameters are the names that the query takes.
	parameters []string
	ask        func(context.Context, analytics.ReportQuery) (*analytics.Report, error)
	stream     func(context.Context, analytics.ReportQuery, analytics.Sink) error
}

func registerReports(router httpapi.Router, deps *Deps, streams csvStreams) {
	store, of := deps.Reports, deps.Incarnation
	revenue := &report{
		name: "revenue", of: of, streams: streams, zone: deps.Zone, store: store, by: analytics.RevenueDimensions,
		ask: store.Revenue, stream: store.StreamRevenue,
		parameters: []string{"by", "from", "to", "tz", "currency", "sku", "limit", "cursor"},
	}
	stock := &report{
		name: "stock-movements", of: of, streams: streams, zone: deps.Zone, store: store, by: analytics.StockDimensions,
		ask: store.StockMovements, stream: store.StreamStockMovements,
		parameters: []string{"by", "from", "to", "tz", "sku", "location", "limit", "cursor"},
	}
	router.Add(http.MethodGet, "/v1/reports/revenue", revenue.answer)
	router.Add(http.MethodGet, "/v1/reports/stock-movements", stock.answer)
}

// readQuery reads the parameters of a query.
func readQuery(c echo.Context) (url.Values, error) {
	parameters, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil { // what cannot be read must not be left out of the question
		return nil, problem.New(problem.InvalidParameter,
			"The query cannot be read: write %25 for a % and %3B for a ; in it.")
	}
	return parameters, nil
}

func (r *report) answer(c echo.Context) error {
	c.Response().Header()["Vary"] = []string{"Accept"}
	parameters, err := readQuery(c)
	if err != nil {
		return err
	}
	format, err := chooseFormat(c.Request().Header)
	if err != nil {
		return err
	}
	query, err := r.parse(parameters, format.isCSV)
	if err != nil {
		return err
	}
	if format.isCSV {
		return r.answerCSV(c, query)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), ReportTimeout)
	defer cancel()
	fresh, err := r.await(ctx, c.Request().Header)
	if err != nil {
		return err
	}
	report, err := r.ask(ctx, query)
	if err != nil {
		return reportProblem(err)
	}
	page := &page{
		rows: len(report.Rows), freshness: fresh,
		appendRow: func(b []byte, i int) []byte { return appendRow(b, report.Columns, report.Rows[i]) },
	}
	if query.By == analytics.ByMonth || query.By == analytics.ByDay {
		page.appendMore = func(b []byte) []byte { return appendjson.Member(b, "zone", query.ZoneName()) }
	}
	if report.Next != "" {
		page.next = r.of.Cursor(encodeCursor(parameters, report.Next))
	}
	return format.answer(c, page)
}

// answerCSV answers with all rows.
func (r *report) answerCSV(c echo.Context, query analytics.ReportQuery) error {
	stream, err := r.streams.open(c, r.name)
	if err != nil {
		return err
	}
	defer stream.close()
	ctx, cancel := context.WithTimeout(c.Request().Context(), CSVTimeout)
	defer cancel()
	if stream.freshness, err = r.await(ctx, c.Request().Header); err != nil {
		return err
	}
	if err := stream.answer(func() error { return r.stream(ctx, query, stream) }); err != nil {
		return reportProblem(err)
	}
	return nil
}

// reportProblem is the problem for an error of a report.
func reportProblem(err error) error {
	var much *analytics.ReportTooLargeError
	switch {
	case errors.Is(err, analytics.ErrCursor):
		return badCursor()
	case errors.As(err, &much):
		return &problem.Problem{Code: problem.QuestionTooLarge, Detail: much.Error(), Reason: much.Err}
	case errors.Is(err, context.DeadlineExceeded), clickhouse.IsTooMuch(err):
		return &problem.Problem{
			Code: problem.QuestionTooLarge, Reason: err,
			Detail: "The report needs more time or memory than it may take: ask for a shorter time (from, to).",
		}
	}
	return unavailable("Reports", err)
}

func appendRow(b []byte, columns []analytics.ReportColumn, row []string) []byte {
	b = append(b, '{')
	for i, col := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendjson.String(b, col.Name), ':')
		if col.Number {
			b = append(b, row[i]...)
		} else {
			b = appendjson.String(b, row[i])
		}
	}
	return append(b, '}')
}

// await waits for the position that the client has seen.
func (r *report) await(ctx context.Context, header http.Header) (freshness, error) {
	fresh := freshness{of: r.of}
	position, err := minPosition(header)
	if err != nil {
		return fresh, err
	}
	waiting, cancel := context.WithTimeout(ctx, MaxPositionWait)
	defer cancel()
	coverage, err := r.store.Await(waiting, position)
	fresh.position, fresh.age = coverage.Position, coverage.Age
	switch {
	case err == nil:
		return fresh, nil
	case ctx.Err() == nil && waiting.Err() != nil && !position.IsZero():
		return fresh, &problem.Problem{
			Code: problem.PositionNotReached, RetryAfterSeconds: 1, Reached: r.of.Text(coverage.Position),
			Detail: "The mirror did not reach the position within " + MaxPositionWait.String() + ".",
		}
	}
	return fresh, unavailable("Reports", err)
}

// minPosition is the position that the client has seen; zero: it says none.
func minPosition(header http.Header) (eventlog.Position, error) {
	sent := header["Holdfast-Min-Position"]
	if len(sent) == 0 {
		return eventlog.Position{}, nil
	}
	return parsePosition(sent[0])
}

// unavailable hides what ClickHouse said of a question; the log has it. what are the answers.
func unavailable(what string, err error) error {
	var refused *clickhouse.Error
	var old *clickhouse.VersionError
	var schema *clickhouse.SchemaError
	p := &problem.Problem{Code: problem.Unavailable, RetryAfterSeconds: 1, Reason: err}
	switch {
	case errors.As(err, &old), errors.As(err, &schema), clickhouse.IsMissing(err):
		p.Detail = what + " cannot be had now: ClickHouse or its tables are not what this version needs. Tables of an " +
			"older version are replaced once the analytics-projector of this version has filled others. " +
			"The log says what to do. The rest of the API goes on."
	case errors.As(err, &refused), errors.Is(err, context.DeadlineExceeded):
		p.Detail = what + " cannot be had now: ClickHouse does not answer as it should. The rest of the API goes on."
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
	return p
}
