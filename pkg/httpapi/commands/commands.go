// Package commands has the HTTP routes of the write side: a route for each row of the table of commands, and the
// stream of many commands in one request (bulk).
//
// It owns the wait for an outcome and the order of a stream's lines. It does not own what a command means (package
// command) or what becomes of it (package shard).
package commands

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/shard"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Deps is what the routes need.
type Deps struct {
	// Submit hands a command to its shard. It does not block; a full queue answers too_many_requests.
	Submit func(*shard.Command) *shard.Future
	// SubmitBehind hands a command on the same aggregate to the queue that took the previous one, and returns nil when
	// no queue of this replica did. Without it each command waits for the previous one.
	SubmitBehind func(previous *shard.Future, cmd *shard.Command) *shard.Future
	// Heard is what this replica has heard of refusals: each command has it from the moment when its request came; nil:
	// from when it is submitted.
	Heard func() *shard.Heard
	// Keys are those that requests need; nil: access is off. Streams ask whether a key is valid still.
	Keys *access.Keys
	// Incarnation is that of the log: positions that are answered are of it.
	Incarnation eventlog.Incarnation
	// Options decide what bodies mean; all replicas of a platform have the same.
	Options command.Options
	// Memory bounds what the requests under way may take; nil: nothing does.
	Memory *httpapi.Memory
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// future is an answer to come, as *shard.Future has it; tests answer by hand. Accepted closes only while the outcome is
// to come.
type future interface {
	Accepted() <-chan struct{}
	Done() <-chan struct{}
	Result() shard.Result
	AcceptedResult() shard.Result
}

// api serves the routes.
type api struct {
	submit  func(*shard.Command) future
	behind  func(previous future, cmd *shard.Command) future // nil: submit it when previous is done
	heardBy func() *shard.Heard                              // nil: submit asks
	options command.Options
	memory  *httpapi.Memory
	keys    *access.Keys // nil: access is off
	// needs has the scope that each type of command needs.
	needs map[string]access.Need
	// incarnation is part of the positions that are answered.
	incarnation eventlog.Incarnation
	now         func() time.Time
}

// heard is what this replica has heard of refusals by now.
func (a *api) heard() *shard.Heard {
	if a.heardBy == nil {
		return nil
	}
	return a.heardBy()
}

// Register adds the routes of all commands.
func Register(router httpapi.Router, deps Deps) {
	a := &api{
		submit: func(cmd *shard.Command) future { return deps.Submit(cmd) },
		behind: func(previous future, cmd *shard.Command) future {
			if taken, ok := previous.(*shard.Future); ok && deps.SubmitBehind != nil {
				if f := deps.SubmitBehind(taken, cmd); f != nil {
					return f
				}
			}
			return nil
		},
		heardBy: deps.Heard, incarnation: deps.Incarnation,
		options: deps.Options,
		memory:  deps.Memory,
		now:     deps.Now,
		keys:    deps.Keys,
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.register(router)
}

func (a *api) register(router httpapi.Router) {
	a.needs = map[string]access.Need{}
	for _, route := range command.Routes() {
		router.Add(route.Method, route.Path, a.handler(route))
		for _, cmd := range route.Commands {
			a.needs[cmd.Type], _ = access.NeedOf(route.Method, route.Path) // Add knows that it is there
		}
	}
	router.Add(http.MethodPost, "/v1/commands", a.bulk)
}

// handler serves one route: its path and the body's action say which command it is, and on what.
func (a *api) handler(route command.Route) echo.HandlerFunc {
	parameters := route.Commands[0].Parameters()
	return func(c echo.Context) error {
		release, err := a.memory.Admit(c)
		if err != nil {
			return err
		}
		defer release()
		heard := a.heard() // before the body, which may take its time
		body, err := httpapi.ReadBody(c)
		if err != nil {
			return err
		}
		// Of several faults the first one names the answer. The order is documented: headers come before the body.
		conditions, err := readConditions(c, route.Commands[0])
		if err != nil {
			return err
		}
		cmd, err := route.Choose(body)
		if err != nil {
			return err
		}
		id := ""
		if len(parameters) > 0 {
			id = httpapi.PathParameter(c, parameters[0])
		}
		for _, member := range parameters[min(1, len(parameters)):] {
			body = command.WithMember(body, member, httpapi.PathParameter(c, member))
		}
		return a.run(c, heard, command.Request{
			Type: cmd.Type, ID: id, Key: conditions.key, Principal: conditions.principal, Body: body,
			ExpectedVersion: conditions.version, ReceivedAtMicros: a.now().UnixMicro(),
		})
	}
}

// conditions are what the headers of a command say of it.
type conditions struct {
	key       *string
	principal shard.Principal
	version   *uint64
}

// readConditions reads the headers of a command: of that one or another of its route, which ask for the same.
func readConditions(c echo.Context, cmd *command.Command) (conditions, error) {
	var said conditions
	header := c.Request().Header
	key, err := httpapi.OneValue(header, "Idempotency-Key")
	if err != nil {
		return said, err
	}
	if len(header["Idempotency-Key"]) > 0 {
		said.key = &key
	}
	if _, err = cmd.CheckKey(said.key); err != nil {
		return said, err
	}
	if said.principal, err = principalOf(c); err != nil {
		return said, err
	}
	said.version, err = parseIfMatch(header)
	return said, err
}

// run parses a command, submits it, waits for its outcome as the client prefers, and answers.
func (a *api) run(c echo.Context, heard *shard.Heard, request command.Request) error {
	cmd, err := command.Parse(request, a.options)
	if err != nil {
		return err
	}
	cmd.Heard, cmd.TraceParent = heard, tracing.Parent(c.Request().Context())
	f := a.submit(cmd)
	switch await(c.Request().Context(), f, parsePrefer(c.Request().Header)) {
	case done:
		result := f.Result()
		return a.answer(c, cmd, &result)
	case accepted:
		result := f.AcceptedResult()
		return a.answerAccepted(c, cmd, &result)
	default:
		return notDurable()
	}
}
