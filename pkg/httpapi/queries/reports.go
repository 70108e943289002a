package queries

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/analytics"
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

func registerReports(router httpapi.Router, store ReportStore) {
	revenue := &report{
		store: store, by: analytics.RevenueDimensions, ask: store.Revenue,
		parameters: []string{"by", "from", "to", "currency", "sku", "limit", "cursor"},
	}
	stock := &report{
		store: store, by: analytics.StockDimensions, ask: store.StockMovements,
		parameters: []string{"by", "from", "to", "sku", "location", "limit", "cursor"},
	}
	router.Add(http.MethodGet, "/v1/reports/revenue", revenue.answer)
	router.Add(http.MethodGet, "/v1/reports/stock-movements", stock.answer)
}

func (r *report) answer(c echo.Context) error {
	c.Response().Header()["Vary"] = []string{"Accept"}
	parameters, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil { // what cannot be read must not be left out of the question
		return problem.New(problem.InvalidParameter, "The query cannot be read: write %25 for a % and %3B for a ; in it.")
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
		return &problem.Problem{
			Code: problem.Unavailable, Reason: err,
			Detail: "The report needs more time or memory than it may take: ask for a shorter time (from, to).",
		}
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
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = format.write(buf.B, page, coverage)
	return httpapi.WriteBody(c, http.StatusOK, format.contentType, buf.B)
}

// await waits for the position that the client has seen.
func (r *report) await(ctx context.Context, header http.Header) (analytics.Reached, error) {
	var position eventlog.Position
	var err error
	if sent := header["Holdfast-Min-Position"]; len(sent) > 0 {
		if position, err = parsePosition(sent[0]); err != nil {
			return analytics.Reached{}, err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, MaxPositionWait)
	defer cancel()
	coverage, err := r.store.Await(waiting, position)
	switch {
	case err == nil:
		return coverage, nil
	case ctx.Err() == nil && waiting.Err() != nil && !position.IsZero():
		return coverage, &problem.Problem{
			Code: problem.PositionNotReached, RetryAfterSeconds: 1, Reached: coverage.Position.String(),
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
	p := &problem.Problem{Code: problem.Unavailable, RetryAfterSeconds: 1, Reason: err}
	switch {
	case errors.As(err, &old), errors.As(err, &schema), clickhouse.IsMissing(err):
		p.Detail = "Reports cannot be had now: ClickHouse or its tables are not what this version needs. " +
			"The log says what to do. The rest of the API goes on."
	case errors.As(err, &refused), errors.Is(err, context.DeadlineExceeded):
		p.Detail = "Reports cannot be had now: ClickHouse does not answer as it should. The rest of the API goes on."
	default:
		return fmt.Errorf("report: %w", err)
	}
	return p
}
