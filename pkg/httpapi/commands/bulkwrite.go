package commands

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// answerForget is over how many answers the size of a large one is forgotten.
const answerForget = 16

// bulkWriter gathers result lines and sends them when there is nothing more to say at once.
type bulkWriter struct {
	stream *bulkStream
	of     eventlog.Incarnation // of positions
	out    io.Writer
	b      []byte
	err    error
	// held is what the lines have of the stream's memory whose answers are in b.
	held int64
}

// write answers the lines in order. After an error it goes on taking lines, so that the reader ends.
func (s *bulkStream) write(out io.Writer) error {
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	w := &bulkWriter{stream: s, of: s.api.incarnation, out: out, b: buf.B}
	defer func() { buf.B = w.b }()
	timer := time.NewTimer(BulkLineWait)
	defer timer.Stop()
	for {
		var line bulkLine
		var more bool
		select {
		case line, more = <-s.lines:
		default:
			w.flush()
			line, more = <-s.lines
		}
		if !more {
			w.flush()
			return w.err
		}
		if w.err != nil {
			s.memory.Release(line.held)
			continue
		}
		if line.problem == nil && !line.run.finished() {
			w.flush() // what is known goes out before the wait
			timer.Reset(BulkLineWait)
			line.run.waitUntil(s, timer.C)
		}
		w.answer(&line)
		if len(w.b) >= bulkFlushBytes {
			w.flush()
		}
	}
}

// waitUntil waits for the outcome, at most until the timer fires or the stream is gone.
func (r *submission) waitUntil(s *bulkStream, expired <-chan time.Time) {
	if r.submitted != nil {
		select {
		case <-r.submitted:
		case <-expired:
			return
		case <-s.ctx.Done():
			return
		}
	}
	if r.future == nil {
		return
	}
	select {
	case <-r.future.Done():
	case <-expired:
	case <-s.ctx.Done():
	}
}

func (w *bulkWriter) flush() {
	if len(w.b) == 0 || w.err != nil {
		return
	}
	_ = w.stream.control.SetWriteDeadline(time.Now().Add(BulkIdleTimeout))
	if _, err := w.out.Write(w.b); err != nil {
		w.fail(err)
		return
	}
	if err := w.stream.control.Flush(); err != nil {
		w.fail(err)
		return
	}
	w.sent()
}

// sent gives back what the lines had whose answers were in the buffer.
func (w *bulkWriter) sent() {
	w.b = w.b[:0]
	w.stream.memory.Release(w.held)
	w.held = 0
}

// fail ends the stream: nobody reads results any more.
func (w *bulkWriter) fail(err error) {
	w.err = err
	w.sent()
	w.stream.cancel()
	_ = w.stream.control.SetReadDeadline(time.Now())
}

// answer renders the answer to a line, which is kept no longer.
func (w *bulkWriter) answer(line *bulkLine) {
	before := len(w.b)
	w.line(line)
	w.held += line.held
	w.stream.noteAnswer(len(w.b) - before)
	if line.run != nil {
		w.stream.answered(line)
	}
}

// noteAnswer notes the size of an answer. A large one counts at once, and is forgotten over the next few.
func (s *bulkStream) noteAnswer(bytes int) {
	last := s.answerBytes.Load()
	s.answerBytes.Store(max(int64(bytes), last-last/answerForget))
}

func (w *bulkWriter) line(line *bulkLine) {
	if line.problem != nil {
		w.b = appendProblemLine(w.b, line.id, nil, nil, "", line.problem)
		return
	}
	how := open
	if line.run.ready() {
		how = progress(line.run.future)
	}
	switch how {
	case done:
		r := line.run.future.Result()
		w.b = appendResultLine(w.b, line, 0, &r, w.of)
	case accepted:
		r := line.run.future.AcceptedResult()
		w.b = appendResultLine(w.b, line, http.StatusAccepted, &r, w.of)
	default:
		w.b = appendProblemLine(w.b, line.id, line.cmd, nil, "", notDurable())
	}
}

// ready reports whether there is a future.
func (r *submission) ready() bool {
	if r.submitted != nil {
		select {
		case <-r.submitted:
		default:
			return false
		}
	}
	return r.future != nil
}

// appendResultLine appends one result; status 0 is that of the command's success.
func appendResultLine(
	b []byte, line *bulkLine, status int, r *shard.Result, of eventlog.Incarnation,
) []byte {
	if p := command.Refusal(line.cmd, r); p != nil {
		for i := range p.Errors {
			p.Errors[i].Pointer = "/body" + p.Errors[i].Pointer
		}
		return appendProblemLine(b, line.id, line.cmd, r, of.Text(r.Position), p)
	}
	if status == 0 {
		row, _ := command.Lookup(line.cmd.Type)
		status = row.Status
	}
	b = appendLineStart(b, line.id, status, line.cmd, r)
	version := r.Version
	if r.Order != nil {
		version = r.Order.Version
	} else if r.Stock != nil {
		version = r.Stock.Version
	}
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, version, 10)
	b = appendPosition(b, of.Text(r.Position))
	if r.Repeated {
		b = append(b, `,"repeated":true`...)
	}
	if r.Order != nil {
		b = append(b, `,"order":`...)
		b = command.AppendOrder(b, r.Order)
	} else if r.Stock != nil {
		b = append(b, `,"stock":`...)
		b = command.AppendStock(b, r.Stock)
	}
	return append(b, '}', '\n')
}

func appendProblemLine(
	b []byte, id string, cmd *shard.Command, r *shard.Result, position string, p *problem.Problem,
) []byte {
	b = appendLineStart(b, id, p.HTTPStatus(), cmd, r)
	b = appendPosition(b, position)
	b = append(b, `,"problem":`...)
	b = p.AppendJSON(b)
	return append(b, '}', '\n')
}

func appendLineStart(b []byte, id string, status int, cmd *shard.Command, r *shard.Result) []byte {
	b = append(b, `{"id":`...)
	b = appendjson.String(b, id)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	switch {
	case cmd == nil:
		return b
	case cmd.Order != nil:
		b = append(b, `,"order_id":`...)
	default:
		b = append(b, `,"sku":`...)
	}
	return appendjson.String(b, changed(cmd, r))
}

func appendPosition(b []byte, position string) []byte {
	if position == "" {
		return b
	}
	b = append(b, `,"position":"`...)
	b = append(b, position...) // letters, digits and points: nothing to escape
	return append(b, '"')
}
