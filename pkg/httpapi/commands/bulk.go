package commands

import (
	"bufio"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Limits of POST /v1/commands. The stream as a whole has none.
const (
	// BulkWindow is how many lines may be under way in one request; then reading pauses.
	BulkWindow = 4_096
	// BulkIdleTimeout ends a stream whose client sends nothing, or does not read its answers, for so long.
	BulkIdleTimeout = 30 * time.Second
	// BulkLineWait bounds the wait for one line's outcome.
	BulkLineWait = 60 * time.Second
	// BulkOverloadWait bounds how long a line waits for room in its shard's queue before it is answered 429.
	BulkOverloadWait = 5 * time.Second

	// A line that finds no room is tried again after bulkFirstPause, then less and less often up to bulkLongestPause.
	bulkFirstPause   = 20 * time.Millisecond
	bulkLongestPause = time.Second
	bulkReadBytes    = 64 << 10
	bulkFlushBytes   = 32 << 10

	// bulkFirstAnswer is how many bytes the first answers of a stream are taken to have, before any is known.
	bulkFirstAnswer = 64 << 10
)

// bulkLine is a line whose result has not been written yet. Either it was refused before it was submitted (problem), or
// it was submitted (cmd and run).
type bulkLine struct {
	id      string
	problem *problem.Problem
	cmd     *shard.Command
	run     *submission
	// on is the aggregate of cmd.
	on aggregate
	// held is what the line has of the stream's memory, until its answer is sent.
	held int64
}

// submission is a command that was submitted, or that waits for the one before it on its aggregate.
type submission struct {
	// submitted closes when future is set; nil: future is set already.
	submitted chan struct{}
	future    future
}

// bulkStream is one request to POST /v1/commands. Its reader parses and submits lines in order, at most
// BulkWindow ahead of its writer, which answers them in order.
type bulkStream struct {
	api     *api
	ctx     context.Context
	cancel  context.CancelFunc
	control *http.ResponseController
	lines   chan bulkLine
	// id tells its commands from those of others, which take turns with them.
	id uint64
	// principal asks for all of its commands.
	principal shard.Principal
	// key is the request's; nil: access is off.
	key *access.Key
	// traceParent is the span of the request; empty: nobody traces it.
	traceParent string
	// heard is what the replica had heard when it read the bytes that the lines are taken from.
	heard *shard.Heard
	// memory is what the lines under way may take.
	memory *httpapi.StreamMemory
	// answerBytes is how large answers are taken to be: the largest one of late.
	answerBytes atomic.Int64

	mu sync.Mutex
	// last has the newest command on each aggregate, until it is answered. The next one must not overtake it (follow).
	last map[aggregate]*submission
	// blocked has the aggregates whose commands were answered without an outcome.
	blocked blocked
}

// aggregate names an order or a stock item.
type aggregate struct {
	order bool
	id    string
}

// aggregateOf is what a command changes. The orders that one key could place are one: they come one after the other.
func aggregateOf(cmd *shard.Command) aggregate {
	if cmd.Order == nil {
		return aggregate{id: cmd.ID}
	}
	return aggregate{order: true, id: orderid.KeyOf(cmd.ID)}
}

func (a *api) bulk(c echo.Context) error {
	request := c.Request()
	if request.ContentLength != 0 || len(request.Header["Content-Type"]) > 0 {
		if err := httpapi.CheckMediaType(c, "application/x-ndjson", "application/json"); err != nil {
			return err
		}
	}
	principal, err := principalOf(c)
	if err != nil {
		return err
	}
	memory, err := a.memory.Stream()
	if err != nil {
		return err
	}
	defer memory.Close()
	// net/http ends the request's context when a read fails, also when that was a deadline. Lines under way must be
	// answered all the same, so the stream has a context of its own: it ends when results can no longer be written.
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Request().Context()))
	defer cancel()
	s := &bulkStream{
		api: a, ctx: ctx, cancel: cancel, memory: memory, id: rand.Uint64() | 1, principal: principal,
		key:         httpapi.KeyOf(c),
		traceParent: tracing.Parent(request.Context()),
		control:     http.NewResponseController(c.Response().Writer),
		lines:       make(chan bulkLine, BulkWindow),
		last:        make(map[aggregate]*submission),
		blocked:     blocked{seed: maphash.MakeSeed()},
	}
	s.answerBytes.Store(bulkFirstAnswer)
	// Without it HTTP/1.1 would read the whole body before the first result. An error means a connection
	// that needs no such permission.
	_ = s.control.EnableFullDuplex()
	c.Response().Header()["Content-Type"] = httpapi.LinesContentType
	c.Response().WriteHeader(http.StatusOK)
	_ = s.control.Flush()

	written := make(chan error, 1)
	go func() { written <- s.write(c.Response()) }()
	s.read(c.Request().Body)
	close(s.lines)
	return <-written
}

var bulkReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bulkReadBytes) }}

// read takes lines until the body ends, a line is too long, or the server stops.
func (s *bulkStream) read(body io.Reader) {
	reader, _ := bulkReaders.Get().(*bufio.Reader)
	defer bulkReaders.Put(reader)
	reader.Reset(&pacedBody{body, s})
	defer reader.Reset(nil)
	reading, stop := s.untilStop()
	defer stop()
	lines := lineReader{reader: reader}
	for {
		text, err := lines.next()
		if len(text) > 0 {
			held, full := s.memory.Acquire(reading, httpapi.LineBytes(len(text), int(s.answerBytes.Load())))
			if full != nil {
				s.end(full)
				return
			}
			line := s.parse(text)
			line.held = held
			if !s.push(line) {
				return
			}
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

// untilStop returns a context that ends when the server begins to stop. A blocked read ends with it.
func (s *bulkStream) untilStop() (reading context.Context, release context.CancelFunc) {
	reading, cancel := context.WithCancel(s.ctx)
	stopping := httpapi.Stopping(s.ctx)
	go func() {
		select {
		case <-stopping:
			_ = s.control.SetReadDeadline(time.Now())
			cancel()
		case <-reading.Done():
		}
	}()
	return reading, cancel
}

// end says on a last line why reading ended early.
func (s *bulkStream) end(err error) {
	var p *problem.Problem
	switch {
	case errors.Is(err, io.EOF):
		return
	case s.stopping():
		p = &problem.Problem{
			Code: problem.Unavailable, RetryAfterSeconds: 1,
			Detail: "The server is stopping. Lines without a result were not taken: send them again.",
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		p = problem.New(problem.RequestTimeout, "Nothing came for "+BulkIdleTimeout.String()+".")
	case errors.Is(err, errLineTooLong):
		p = problem.New(problem.LineTooLong,
			"A line may have "+strconv.Itoa(limits.MaxBulkLineBytes)+" bytes; reading ends here.")
	default:
		p = problem.New(problem.MalformedJSON, "The body broke off.")
	}
	s.push(bulkLine{problem: p})
}

func (s *bulkStream) stopping() bool {
	select {
	case <-httpapi.Stopping(s.ctx):
		return true
	default:
		return false
	}
}

func (s *bulkStream) push(line bulkLine) bool {
	select {
	case s.lines <- line:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// parse turns a line into a command and submits it.
func (s *bulkStream) parse(text []byte) bulkLine {
	id, cmd, err := command.ParseLine(text, s.api.now().UnixMicro(), s.api.options)
	if err != nil {
		return bulkLine{id: id, problem: problem.Of(err)}
	}
	if err := s.allowed(cmd.Type); err != nil {
		return bulkLine{id: id, problem: err}
	}
	cmd.Heard, cmd.Stream, cmd.Principal, cmd.TraceParent = s.heard, s.id, s.principal, s.traceParent
	line := bulkLine{id: id, cmd: cmd, on: aggregateOf(cmd)}
	line.run = s.start(line.on, cmd)
	s.mu.Lock()
	s.last[line.on] = line.run
	s.mu.Unlock()
	return line
}

// allowed refuses a line whose command the key may not give. A stream may go on for hours: a key that has ended
// meanwhile is refused, too.
func (s *bulkStream) allowed(command string) *problem.Problem {
	switch need := s.api.needs[command]; {
	case s.key == nil:
		return nil
	case !s.api.keys.IsValid(s.key):
		return problem.New(problem.Unauthenticated, "The API key of the stream has been revoked, or has expired.")
	case !need.Allows(s.key.Scopes):
		return httpapi.InsufficientScope(need)
	}
	return nil
}

// answered forgets a line whose answer is known: nothing more is kept of it than whether it had an outcome.
func (s *bulkStream) answered(line *bulkLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last[line.on] != line.run {
		return // there is a newer one, which has waited for this one
	}
	if s.forget(line.on, line.run) {
		return
	}
	// The stream has given up waiting for it, after long. So there is time to look whether others that it gave up have
	// ended.
	for on, run := range s.last {
		s.forget(on, run)
	}
}

// forget forgets the newest command on an aggregate, if it has ended. mu must be locked.
func (s *bulkStream) forget(on aggregate, run *submission) bool {
	if !run.finished() {
		return false
	}
	if run.endedWithoutOutcome() {
		s.blocked.add(on)
	}
	delete(s.last, on)
	return true
}

// start submits a command, unless one before it on its aggregate is under way or was left without an outcome.
func (s *bulkStream) start(on aggregate, cmd *shard.Command) *submission {
	s.mu.Lock()
	previous, blocked := s.last[on], s.blocked.has(on)
	s.mu.Unlock()
	switch {
	case blocked:
		return &submission{future: notSubmitted}
	case previous == nil:
		return s.submit(cmd)
	case !previous.finished():
		return s.follow(previous, on, cmd)
	case previous.endedWithoutOutcome(): // asked after finished: one that ends in between must not be overtaken
		return &submission{future: notSubmitted}
	default:
		return s.submit(cmd)
	}
}

// follow submits a command after one on the same aggregate that has no outcome yet.
//
// A command on an item goes into the same queue at once, if that queue is this replica's: each command on an item takes
// one commit, and whatever refuses the first one refuses the second one too. Everything else waits for the outcome of
// the first one: placing an order may take more than one commit, and another replica may refuse the first command and
// then accept the second.
func (s *bulkStream) follow(previous *submission, on aggregate, cmd *shard.Command) *submission {
	if !on.order && previous.ready() {
		if f := s.api.behind(previous.future, cmd); f != nil {
			return &submission{future: f}
		}
	}
	return s.submitAfter(previous, cmd)
}

// submit hands a command over. Where there is no room for it, it is tried again in the background: other shards may
// have room for the lines after it.
func (s *bulkStream) submit(cmd *shard.Command) *submission {
	f := s.api.submit(cmd)
	if !overloaded(f) {
		return &submission{future: f}
	}
	run := &submission{submitted: make(chan struct{})}
	go func() {
		defer close(run.submitted)
		run.future = s.waitForRoom(f, cmd)
	}()
	return run
}

// waitForRoom submits a command that was refused for want of room, until there is room or it takes too long. So the
// stream waits, not the client. It knows of the refusal also where it comes from another replica.
func (s *bulkStream) waitForRoom(f future, cmd *shard.Command) future {
	pause := backoff.Backoff{First: bulkFirstPause, Longest: bulkLongestPause}
	for end := time.Now().Add(BulkOverloadWait); overloaded(f) && time.Now().Before(end); {
		if pause.Sleep(s.ctx) != nil {
			break
		}
		f = s.submitted(cmd)
	}
	return f
}

// submitted submits a command, and returns once it is accepted or refused.
func (s *bulkStream) submitted(cmd *shard.Command) future {
	f := s.api.submit(cmd)
	select {
	case <-f.Accepted():
	case <-f.Done():
	case <-s.ctx.Done():
	}
	return f
}

func overloaded(f future) bool {
	select {
	case <-f.Done():
		return f.Result().Code == problem.TooManyRequests
	default:
		return false
	}
}

// submitAfter submits once the previous command on the aggregate has its outcome.
func (s *bulkStream) submitAfter(previous *submission, cmd *shard.Command) *submission {
	run := &submission{submitted: make(chan struct{})}
	go func() {
		defer close(run.submitted)
		switch {
		case !previous.wait(s.ctx):
		case previous.endedWithoutOutcome():
			run.future = notSubmitted
		default:
			run.future = s.waitForRoom(s.submitted(cmd), cmd)
		}
	}()
	return run
}

func (r *submission) finished() bool {
	if r.submitted != nil {
		select {
		case <-r.submitted:
		default:
			return false
		}
	}
	return r.future == nil || progress(r.future) == done
}

// endedWithoutOutcome reports that the command has ended without an outcome: its client will send it again, and what
// comes after it on the same aggregate must not overtake it.
func (r *submission) endedWithoutOutcome() bool {
	if !r.finished() || r.future == nil {
		return false
	}
	code := r.future.Result().Code
	return code == problem.Unavailable || code == problem.TooManyRequests
}

// wait returns true when the command has its outcome, false when the stream is gone.
func (r *submission) wait(ctx context.Context) bool {
	if r.submitted != nil {
		select {
		case <-r.submitted:
		case <-ctx.Done():
			return false
		}
	}
	if r.future == nil {
		return false
	}
	select {
	case <-r.future.Done():
		return true
	case <-ctx.Done():
		return false
	}
}
