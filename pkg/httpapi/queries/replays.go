package queries

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/replay"
)

// replayAPI serves replays: the runs that compute a version of an insight over the history.
type replayAPI struct {
	service     *replay.Service
	incarnation eventlog.Incarnation
	keys        *access.Keys // nil: access is off
	// streams has a place for each stream of progress.
	streams chan struct{}
}

func registerReplays(router httpapi.Router, deps *Deps) {
	service := deps.Replays
	a := &replayAPI{
		service: service, incarnation: deps.Incarnation, keys: deps.Keys, streams: make(chan struct{}, MaxProgressStreams),
	}
	add := func(method, path string, handler echo.HandlerFunc) {
		router.Add(method, path, onceRead(service.Ready, handler))
	}
	add(http.MethodPost, "/v1/replays", a.create)
	add(http.MethodGet, "/v1/replays", a.list)
	add(http.MethodGet, "/v1/replays/:replay_id", a.of(a.get))
	add(http.MethodGet, "/v1/replays/:replay_id/log", a.of(a.log))
	add(http.MethodGet, "/v1/replays/:replay_id/progress", a.of(a.progress))
	for action, decision := range actions {
		add(http.MethodPost, "/v1/replays/:replay_id/"+action, a.decide(decision))
	}
	add(http.MethodPost, "/v1/insights/plan", a.plan)
	add(http.MethodDelete, "/v1/insights/:name", a.drop)
}

// of calls a handler with the replay that the path names.
func (a *replayAPI) of(handler func(echo.Context, *catalog.Replay) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := a.service.Replay(replayID(c))
		if r == nil {
			return unknownReplay()
		}
		return handler(c, r)
	}
}

func replayID(c echo.Context) string { return strings.ToLower(httpapi.PathParameter(c, "replay_id")) }

func unknownReplay() error { return problem.New(problem.UnknownReplay, "No replay has this ID.") }

func (a *replayAPI) get(c echo.Context, r *catalog.Replay) error {
	return httpapi.WriteJSON(c, http.StatusOK, a.describe(c.Request().Context(), r))
}

func (a *replayAPI) log(c echo.Context, r *catalog.Replay) error {
	decisions := struct {
		Items []decisionJSON `json:"items"`
	}{}
	for i := range r.Log {
		decisions.Items = append(decisions.Items, decisionOf(&r.Log[i]))
	}
	return httpapi.WriteJSON(c, http.StatusOK, decisions)
}

// replayPage is a page of the list.
type replayPage struct {
	Items []replayJSON `json:"items"`
	Next  string       `json:"next_cursor,omitzero"`
}

// list answers with the replays, newest first. It asks nobody but the catalogue, and so says of none how far it is.
func (a *replayAPI) list(c echo.Context) error {
	q, err := parseReplayQuery(c.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	replays := slices.DeleteFunc(a.service.Replays(q.insight), func(r *catalog.Replay) bool {
		return q.phase != "" && string(r.Phase) != q.phase && r.ID != q.after
	})
	slices.Reverse(replays)
	if q.after != "" {
		replays = replays[1+slices.IndexFunc(replays, func(r *catalog.Replay) bool { return r.ID == q.after }):]
	}
	page := replayPage{Items: []replayJSON{}}
	for i, r := range replays {
		if i == q.limit {
			page.Next = a.incarnation.Cursor(q.cursor(page.Items[i-1].ReplayID))
			break
		}
		page.Items = append(page.Items, a.summaryOf(r))
	}
	return httpapi.WriteJSON(c, http.StatusOK, page)
}

// replayQuery is the filter and the place of the list.
type replayQuery struct {
	insight, phase, after string
	limit                 int
}

func parseReplayQuery(raw string) (replayQuery, error) {
	q := replayQuery{limit: DefaultPage}
	parameters, err := url.ParseQuery(raw)
	if err != nil {
		return q, badParameter("The query cannot be read: write %25 for a % and %3B for a ; in it.")
	}
	for name, values := range parameters {
		if !slices.Contains([]string{"insight", "phase", "limit", "cursor"}, name) || len(values) > 1 {
			return q, badParameter("The query takes insight, phase, limit and cursor, each once.")
		}
	}
	q.insight, q.phase = parameters.Get("insight"), parameters.Get("phase")
	if parameters.Has("phase") && !slices.Contains(catalog.Phases, catalog.Phase(q.phase)) {
		return q, badParameter("phase must be one of " + list(catalog.Phases) + ".")
	}
	if parameters.Has("limit") {
		if q.limit, err = strconv.Atoi(parameters.Get("limit")); err != nil || q.limit < 1 || q.limit > MaxPage {
			return q, badParameter("limit must be from 1 to " + strconv.Itoa(MaxPage) + ".")
		}
	}
	return q, q.resume(parameters.Get("cursor"))
}

// cursor makes a place opaque and ties it to the filter.
func (q *replayQuery) cursor(place string) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "replays %q %q %q", q.insight, q.phase, place)
	return base64.RawURLEncoding.EncodeToString(append(h.Sum(nil), place...))
}

func (q *replayQuery) resume(cursor string) error {
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 4 || q.cursor(string(raw[4:])) != cursor {
		return badCursor()
	}
	q.after = string(raw[4:])
	return nil
}
