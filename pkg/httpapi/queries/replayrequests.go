package queries

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/replay"
)

// CreateTimeout bounds the checks of a definition that is to be replayed: its examples are run.
const CreateTimeout = 60 * time.Second

// actions are the last parts of the paths that decide about a replay.
var actions = map[string]catalog.Type{
	"pause": catalog.ReplayPaused, "resume": catalog.ReplayResumed, "cancel": catalog.ReplayCancelled,
	"verify": catalog.VerifyRequested, "promote": catalog.Promoted, "rollback": catalog.RolledBack,
	"discard": catalog.ReplayDiscarded,
}

// anonymous is who decides where the client does not say who asks.
const anonymous = "anonymous"

// actorOf is who asks for a decision.
func actorOf(c echo.Context) (catalog.Principal, error) {
	p, err := httpapi.PrincipalOf(c)
	if p.Name == "" {
		p.Name = anonymous
	}
	return catalog.Principal{Name: p.Name, Verified: p.Verified}, err
}

// keyed derives IDs from the idempotency key of a request.
type keyed struct{ key string }

// namespace is fixed for ever, so that a request that is sent again finds what the first has made.
var namespace = uuid.MustParse("0b0e2f0f-7f8c-5d0e-8d52-4c1f6f7c9a10")

// keyOf reads the key of a request. Without one, each request is another.
func keyOf(header http.Header) (keyed, error) {
	key, err := httpapi.OneValue(header, "Idempotency-Key")
	if err != nil || len(header["Idempotency-Key"]) == 0 {
		return keyed{}, err
	}
	if fault := input.KeyFault(key); fault != "" {
		return keyed{}, problem.New(problem.InvalidKey, fault)
	}
	return keyed{key}, nil
}

// id is the ID of what the request makes of something; empty: a new one.
func (k keyed) id(what string) string {
	if k.key == "" {
		return ""
	}
	return uuid.NewSHA1(namespace, []byte(what+"\x00"+k.key)).String()
}

// replayBody is the body of POST /v1/replays.
type replayBody struct {
	Definition      string `json:"definition"`
	Insight         string `json:"insight"`
	Source          string `json:"source"`
	From            string `json:"from"`
	To              string `json:"to"`
	UpTo            string `json:"up_to"`
	EventsPerSecond int64  `json:"events_per_second"`
	Promote         bool   `json:"promote"`
	Force           bool   `json:"force"`
}

func (a *replayAPI) create(c echo.Context) error {
	request, err := a.readRequest(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), CreateTimeout)
	defer cancel()
	r, err := a.service.Create(ctx, request)
	if err != nil {
		return refused(err)
	}
	c.Response().Header()["Location"] = []string{"/v1/replays/" + r.ID}
	return httpapi.WriteJSON(c, http.StatusCreated, a.describe(ctx, r))
}

// readRequest reads a request for a replay. Headers come before the body.
func (a *replayAPI) readRequest(c echo.Context) (replay.Request, error) {
	raw, err := httpapi.ReadBody(c)
	if err != nil {
		return replay.Request{}, err
	}
	header := c.Request().Header
	if len(header["Idempotency-Key"]) == 0 {
		return replay.Request{}, problem.New(problem.KeyRequired,
			"Send an Idempotency-Key that you keep for retries of this request.")
	}
	key, err := keyOf(header)
	if err != nil {
		return replay.Request{}, err
	}
	by, err := actorOf(c)
	if err != nil {
		return replay.Request{}, err
	}
	var sent replayBody
	body := input.Body{JSON: raw}
	if !body.Read(&sent) {
		return replay.Request{}, body.Problem()
	}
	request, err := sent.request(&body, a.incarnation)
	if err != nil {
		return request, err
	}
	request.ID, request.By = key.id("replay"), by
	if err := body.Problem(); err != nil {
		return request, err
	}
	if sent.Insight != "" {
		i := a.service.Insight(sent.Insight)
		if i == nil || i.Live == nil {
			return request, problem.New(problem.UnknownInsight, "No insight with this name is live.")
		}
		request.Text = []byte(i.Live.Text)
	}
	return request, nil
}

// request checks the members, and is what they ask for.
func (b *replayBody) request(body *input.Body, of eventlog.Incarnation) (replay.Request, error) {
	fault := func(pointer, detail string) { body.Fault(problem.InvalidReplay, pointer, detail) }
	o := replay.Request{
		File: previewFile, Text: []byte(b.Definition), Source: catalog.Source(b.Source), EventsPerSecond: b.EventsPerSecond,
		Promote: b.Promote, Force: b.Force, From: timeOf(fault, "/from", b.From), To: timeOf(fault, "/to", b.To),
	}
	switch {
	case b.Definition == "" && b.Insight == "":
		body.Missing("/definition")
	case b.Definition != "" && b.Insight != "":
		fault("/insight", "must be left out where there is a definition")
	}
	if s := o.Source; s != "" && s != catalog.FromMirror && s != catalog.FromKafka {
		fault("/source", "must be mirror or kafka")
	}
	if o.From != nil && o.To != nil && !o.From.Before(*o.To) {
		fault("/to", "must be after from")
	}
	if o.Promote && (b.From != "" || b.To != "" || b.UpTo != "") {
		fault("/promote", "a part of the history goes live only by force: leave out promote")
	}
	if o.EventsPerSecond < 0 || o.EventsPerSecond > replay.MaxEventsPerSecond {
		fault("/events_per_second", "must be from 0 (no limit) to "+strconv.Itoa(replay.MaxEventsPerSecond))
	}
	if b.UpTo != "" {
		position, err := of.Parse(b.UpTo)
		if other, ok := errors.AsType[*eventlog.OtherLogError](err); ok {
			return o, logRestored("up_to", other)
		}
		if err != nil || position.IsZero() {
			body.Fault(problem.InvalidPosition, "/up_to", "must be a Holdfast-Position as an answer had it")
		}
		o.UpTo = position
	}
	return o, nil
}

// timeOf reads a day or a time; nil: none was sent.
func timeOf(fault func(pointer, detail string), pointer, text string) *time.Time {
	if text == "" {
		return nil
	}
	at, ok := parseTime(text, time.UTC)
	if !ok {
		fault(pointer, "must be a day (2011-03-01) or a time (2011-03-01T00:00:00Z) in the years 1900 to 2299")
	}
	return &at
}

// decisionBody is the body of a decision. It may be left out.
type decisionBody struct {
	Reason string `json:"reason"`
	Force  bool   `json:"force"`
}

// decide is the handler of a decision about a replay.
func (a *replayAPI) decide(decision catalog.Type) echo.HandlerFunc {
	return func(c echo.Context) error {
		d := catalog.Decision{Type: decision, ReplayID: replayID(c)}
		if err := readDecision(c, &d); err != nil {
			return err
		}
		if a.service.Replay(d.ReplayID) == nil {
			return unknownReplay()
		}
		r, err := a.service.Decide(c.Request().Context(), d)
		if err != nil {
			return refused(err)
		}
		return httpapi.WriteJSON(c, http.StatusOK, a.describe(c.Request().Context(), r))
	}
}

// drop ends an insight.
func (a *replayAPI) drop(c echo.Context) error {
	d := catalog.Decision{Type: catalog.InsightDropped, Insight: httpapi.PathParameter(c, "name")}
	if err := readDecision(c, &d); err != nil {
		return err
	}
	if _, err := a.service.Decide(c.Request().Context(), d); err != nil {
		return refused(err)
	}
	return c.NoContent(http.StatusNoContent)
}

// readDecision adds to a decision what the request says about it.
func readDecision(c echo.Context, d *catalog.Decision) error {
	raw, err := httpapi.ReadBody(c)
	if err != nil {
		return err
	}
	key, err := keyOf(c.Request().Header)
	if err != nil {
		return err
	}
	if d.By, err = actorOf(c); err != nil {
		return err
	}
	var sent decisionBody
	body := input.Body{JSON: raw}
	if body.Read(&sent) {
		body.Text("/reason", sent.Reason, limits.MaxReasonLength)
	}
	d.ID, d.Reason, d.Forced = key.id(string(d.Type)+"\x00"+d.ReplayID+d.Insight), sent.Reason, sent.Force
	return body.Problem()
}

// refused is the problem for an error about a replay or a definition.
func refused(err error) error {
	var refusal *catalog.Refusal
	var cut *replay.CutLogError
	switch {
	case errors.As(err, &refusal) && refusal.Unknown:
		return problem.New(problem.UnknownInsight, refusal.Text+".")
	case errors.As(err, &refusal):
		return &problem.Problem{Code: problem.ReplayRefused, Detail: refusal.Text + ".", Forceable: refusal.Forceable}
	case errors.As(err, &cut):
		return &problem.Problem{Code: problem.LogCut, Detail: cut.Error() + ".", Forceable: true}
	case errors.Is(err, replay.ErrOtherRequest):
		return problem.New(problem.KeyReused, "The key has created another replay.")
	}
	return definitionProblem(err)
}
