package queries

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/problem"
)

// InsightStore knows which versions of insights there are.
type InsightStore interface {
	// Ready returns nil once it is known which versions there are.
	Ready() error
	// Insights are all insights, by name.
	Insights(ctx context.Context) ([]insight.Listed, error)
	// Find is the version that answers, with its table: "" is the live one, else a fingerprint, or the ID of a replay. The
	// error is insight.ErrNoInsight or insight.ErrNoVersion where there is none. The same version should be the same
	// pointer each time: it keeps what it has learnt of its table.
	Find(ctx context.Context, name, version string) (*insight.Version, insight.Provenance, error)
	// Mirrored is how far the mirror is. Tables of insights are at most as far.
	Mirrored(ctx context.Context) (analytics.Reached, error)
	// Conn is the mirror.
	Conn() *clickhouse.Conn
}

// insightPoll is how often a read asks how far a table is, while it waits for Holdfast-Min-Position.
const insightPoll = 100 * time.Millisecond

// insightAPI are the routes of insights.
type insightAPI struct {
	store      InsightStore
	of         eventlog.Incarnation
	streams    csvStreams
	previewing sync.Mutex
}

func registerInsights(router httpapi.Router, store InsightStore, of eventlog.Incarnation, streams csvStreams) {
	api := &insightAPI{store: store, of: of, streams: streams}
	router.Add(http.MethodGet, "/v1/insights", onceRead(store.Ready, api.list))
	router.Add(http.MethodGet, "/v1/insights/:name", onceRead(store.Ready, api.ask))
	router.Add(http.MethodPost, "/v1/insights/preview", api.preview)
}

// onceRead serves a route once the decisions about insights are known.
func onceRead(ready func() error, handler echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := ready(); err != nil {
			return &problem.Problem{
				Code: problem.Unavailable, RetryAfterSeconds: 1, Reason: err,
				Detail: "The decisions about insights are not read yet. The rest of the API goes on.",
			}
		}
		return handler(c)
	}
}

// ask answers a question.
func (a *insightAPI) ask(c echo.Context) error {
	c.Response().Header()["Vary"] = []string{"Accept"}
	parameters, err := readQuery(c)
	if err != nil {
		return err
	}
	format, err := chooseFormat(c.Request().Header)
	if err != nil {
		return err
	}
	position, err := minPosition(c.Request().Header)
	if err != nil {
		return err
	}
	q := &insightQuery{c: c, name: httpapi.PathParameter(c, "name"), parameters: parameters, position: position}
	if format.isCSV {
		return a.askCSV(q)
	}
	return a.askPage(q, format)
}

// insightQuery is a request for an answer.
type insightQuery struct {
	c          echo.Context
	name       string
	parameters url.Values
	position   eventlog.Position
}

func (a *insightAPI) askPage(q *insightQuery, format reportFormat) error {
	ctx, cancel := context.WithTimeout(q.c.Request().Context(), ReportTimeout)
	defer cancel()
	version, from, at, filled, err := a.await(ctx, q)
	if err != nil {
		return insightProblem(err)
	}
	question, err := parseQuestion(version.Definition, q.parameters, false)
	if err != nil {
		return err
	}
	answer, err := version.Ask(ctx, a.store.Conn(), question, at, filled)
	if err != nil {
		return insightProblem(err)
	}
	p := &page{
		rows: len(answer.Rows), freshness: freshness{from.Position, a.of, from.Age},
		appendRow: func(b []byte, i int) []byte { return answer.AppendRow(b, answer.Rows[i]) },
	}
	if answer.Next != "" {
		p.next = a.of.Cursor(encodeCursor(q.parameters, answer.Next))
	}
	p.appendMore = func(b []byte) []byte {
		b = appendProvenance(append(b, `,"version":`...), &from, a.of)
		return appendjson.Member(b, "computed", answer.Computed)
	}
	return format.answer(q.c, p)
}

func (a *insightAPI) askCSV(q *insightQuery) error {
	stream, err := a.streams.open(q.c, q.name)
	if err != nil {
		return err
	}
	defer stream.close()
	ctx, cancel := context.WithTimeout(q.c.Request().Context(), CSVTimeout)
	defer cancel()
	version, from, at, filled, err := a.await(ctx, q)
	if err != nil {
		return insightProblem(err)
	}
	question, err := parseQuestion(version.Definition, q.parameters, true)
	if err != nil {
		return err
	}
	stream.freshness = freshness{from.Position, a.of, from.Age}
	err = stream.answer(func() error { return version.Stream(ctx, a.store.Conn(), question, at, filled, stream) })
	if err != nil {
		return insightProblem(err)
	}
	return nil
}

// await finds the version, and waits until its table has reached the position, as far as its source has to do with it.
// If the mirror reaches it first, the answer is to be taken there, at, and what the table lacks is computed. Otherwise
// at is nil. filled is how far the table is.
func (a *insightAPI) await(
	ctx context.Context, q *insightQuery,
) (found *insight.Version, from insight.Provenance, at, filled eventlog.Offsets, err error) {
	waiting, cancel := context.WithTimeout(ctx, MaxPositionWait)
	defer cancel()
	for {
		found, from, err = a.store.Find(waiting, q.name, q.parameters.Get("version"))
		if err != nil {
			return nil, from, nil, nil, err
		}
		filled = from.Position.Offsets()
		wanted := relevant(q.position, found.Source)
		if from.Position.Reaches(wanted) || !from.UpTo.IsZero() {
			return found, from, nil, filled, nil
		}
		mirrored, err := a.store.Mirrored(waiting)
		if err != nil {
			return nil, from, nil, nil, err
		}
		if mirrored.Position.Reaches(wanted) {
			from.Position, from.Age = mirrored.Position, mirrored.Age
			return found, from, mirrored.Position.Offsets(), filled, nil
		}
		if backoff.Sleep(waiting, insightPoll) != nil && ctx.Err() == nil {
			return nil, from, nil, nil, &problem.Problem{
				Code: problem.PositionNotReached, RetryAfterSeconds: 1, Reached: a.of.Text(mirrored.Position),
				Detail: "The insight did not reach the position within " + MaxPositionWait.String() + ".",
			}
		}
		if ctx.Err() != nil {
			return nil, from, nil, nil, ctx.Err()
		}
	}
}

// relevant is the position in the topics that a source has rows of.
func relevant(position eventlog.Position, source insight.Source) (relevant eventlog.Position) {
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		if source.HasTopic(topic) {
			relevant = relevant.Merge(position.Of(topic))
		}
	}
	return relevant
}

// insightProblem is the problem for an error of a store or of a question.
func insightProblem(err error) error {
	var known *problem.Problem
	var fault *insight.QuestionError
	var much *insight.QuestionTooLargeError
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, insight.ErrNoInsight):
		return problem.New(problem.UnknownInsight, "There is no insight of this name.")
	case errors.Is(err, insight.ErrNoVersion):
		return problem.New(problem.UnknownVersion, "The insight has no such version.")
	case errors.Is(err, insight.ErrComputing):
		return &problem.Problem{
			Code: problem.Unavailable, RetryAfterSeconds: 10, Reason: err,
			Detail: "The insight is being computed again, because ClickHouse has lost its table, or has one of another " +
				"release: ask later.",
		}
	case errors.As(err, &fault) && fault.Parameter == "cursor":
		return badCursor()
	case errors.As(err, &fault):
		return faultsOf([]problem.FieldError{{Pointer: "/" + fault.Parameter, Detail: fault.Message}})
	case errors.As(err, &much):
		return &problem.Problem{Code: problem.QuestionTooLarge, Detail: much.Error(), Reason: much.Err}
	case clickhouse.IsTooMuch(err):
		return &problem.Problem{
			Code: problem.QuestionTooLarge, Reason: err, Detail: "It takes more than the " + insight.ComputeTime.String() +
				", the rows of the source or the memory that it may take.",
		}
	}
	return unavailable("Insights", err)
}

// list lists the insights.
func (a *insightAPI) list(c echo.Context) error {
	parameters, err := readQuery(c)
	if err == nil {
		err = onlyParameters(parameters)
	}
	if err != nil {
		return err
	}
	all, err := a.store.Insights(c.Request().Context())
	if err != nil {
		return insightProblem(err)
	}
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = append(appendjson.Array(append(buf.B, `{"items":`...), all, func(b []byte, l insight.Listed) []byte {
		return appendListed(b, l, a.of)
	}), '}')
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, buf.B)
}

func appendListed(b []byte, l insight.Listed, of eventlog.Incarnation) []byte {
	b = appendjson.String(append(b, `{"name":`...), l.Name)
	b = appendjson.Member(b, "description", l.Description)
	b = appendjson.Member(b, "source", l.Source.Table)
	b = appendjson.Member(b, "zone", l.Zone)
	b = appendjson.Array(append(b, `,"keys":`...), l.Keys, func(b []byte, c insight.Column) []byte {
		return appendjson.String(b, c.Name)
	})
	b = appendjson.Array(append(b, `,"measures":`...), l.Measures, func(b []byte, c insight.Column) []byte {
		b = appendjson.String(append(b, `{"name":`...), c.Name)
		return append(appendjson.Member(b, "unit", string(c.Unit)), '}')
	})
	if len(l.Rollups) > 0 {
		b = appendjson.Array(append(b, `,"rollups":`...), l.Rollups, func(b []byte, r insight.Rollup) []byte {
			return appendjson.Array(b, r, appendjson.String)
		})
	}
	if l.Live != nil {
		b = appendProvenance(append(b, `,"live":`...), l.Live, of)
	}
	if len(l.Staged) > 0 {
		b = appendjson.Array(append(b, `,"staged":`...), l.Staged, func(b []byte, p insight.Provenance) []byte {
			return appendProvenance(b, &p, of)
		})
	}
	return append(b, '}')
}

func appendProvenance(b []byte, p *insight.Provenance, of eventlog.Incarnation) []byte {
	b = appendjson.String(append(b, `{"fingerprint":`...), p.Fingerprint)
	b = appendjson.Member(b, "replay_id", p.Replay)
	b = appendjson.Member(b, "state", string(p.State))
	if !p.PromotedAt.IsZero() {
		b = appendjson.Member(b, "promoted_at", p.PromotedAt.UTC().Format(time.RFC3339Nano))
	}
	b = appendjson.String(append(b, `,"position":`...), of.Text(p.Position))
	if p.Age >= 0 {
		b = appendjson.Int(b, "age_ms", p.Age.Milliseconds())
	}
	return append(b, '}')
}
