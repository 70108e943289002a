package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	bulkStreams = 2
	// bulkAhead lines of one stream are under way at most.
	bulkAhead    = 4_000
	maxLineBytes = 1 << 20
	bulkBuffer   = 64 << 10
)

// bulk sends orders as lines of a few long requests; the results come back in order.
func (r *run) bulk(ctx context.Context) error {
	errs := make(chan error, bulkStreams)
	for stream := range bulkStreams {
		go func() { errs <- r.stream(ctx, r.cfg.URLs[stream%len(r.cfg.URLs)]) }()
	}
	var all error
	for range bulkStreams {
		all = errors.Join(all, <-errs)
	}
	return all
}

// stream sends lines until none are left, and in further requests those that were told to come again after
// the last line had gone out.
func (r *run) stream(ctx context.Context, url string) error {
	w := newWindow(bulkAhead)
	for {
		if err := r.request(ctx, url, w); err != nil {
			return err
		}
		if !w.reopen() {
			return nil
		}
	}
}

func (r *run) request(ctx context.Context, url string, w *window) error {
	body, in := io.Pipe()
	// The stream ends by the end of its lines, or by the platform's silence, not by the run's: every line sent is answered.
	alive, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	silence := time.AfterFunc(r.cfg.RetryFor, func() { cancel(fmt.Errorf("no result for %s", r.cfg.RetryFor)) })
	defer silence.Stop()
	req, err := http.NewRequestWithContext(alive, http.MethodPost, url+"/v1/commands", body)
	if err != nil {
		return fmt.Errorf("open a bulk stream: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	var sending sync.WaitGroup
	sending.Add(1)
	go func() {
		defer sending.Done()
		r.sendLines(ctx, in, w)
	}()
	defer sending.Wait()
	defer func() { _ = body.CloseWithError(errors.New("nobody reads the results")) }()
	defer w.end()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errors.Join(fmt.Errorf("send a bulk stream: %w", err), context.Cause(alive))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("send a bulk stream: %s", resp.Status)
	}
	if err := r.readResults(resp.Body, w, silence); err != nil {
		return errors.Join(err, context.Cause(alive))
	}
	if n := w.underWay(); n > 0 {
		return fmt.Errorf("a bulk stream ended with %d lines unanswered", n)
	}
	return nil
}

// sendLines writes lines until there are no more.
func (r *run) sendLines(ctx context.Context, in *io.PipeWriter, w *window) {
	out := bufio.NewWriterSize(in, bulkBuffer)
	fresh := func() (int64, bool) {
		if ctx.Err() != nil {
			return 0, false
		}
		return r.take()
	}
	var line []byte
	var rested time.Time
	for {
		s, next := w.claim(fresh)
		switch next {
		case turnEnd:
			_ = in.CloseWithError(out.Flush()) // nil closes the stream as ended
			return
		case turnWait:
			// What is buffered must go out before its answers are waited for.
			if out.Flush() != nil {
				return // the reader of results says why
			}
			w.wait()
			continue
		case turnResend:
			if time.Since(rested) > retryPause {
				time.Sleep(retryPause)
				rested = time.Now()
			}
		case turnSend:
		}
		line = r.appendLine(line[:0], s.n)
		if _, err := out.Write(line); err != nil {
			return // the reader of results says why
		}
	}
}

func (r *run) appendLine(b []byte, n int64) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, r.cfg.KeyPrefix...)
	b = append(b, '-')
	b = strconv.AppendInt(b, n, 10)
	b = append(b, `","type":"`+placeOrder+`","body":`...)
	b = append(b, r.body(n)...)
	return append(b, '}', '\n')
}

// readResults takes results until the stream ends; each one puts off the end of a silent stream.
func (r *run) readResults(body io.Reader, w *window, silence *time.Timer) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, bulkBuffer), maxLineBytes)
	for lines.Scan() {
		s, ok := w.takeOff()
		if !ok {
			return fmt.Errorf("more results than lines: %s", lines.Bytes())
		}
		silence.Reset(r.cfg.RetryFor)
		answer := statusOf(lines.Bytes())
		status, _ := strconv.Atoi(answer) // 0, no status, is none that is expected
		if retryable(status) {
			r.retried(answer)
			if time.Since(s.at) < r.cfg.RetryFor {
				w.sendAgain(s)
				continue
			}
			answer = gaveUpAfter + answer
		} else if r.acks.w != nil {
			r.acks.result(r.key(s.n), placeOrder, lines.Bytes())
		}
		r.record(answer, r.cfg.expected(status), s.at)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read bulk results: %w", err)
	}
	return nil
}

// statusOf finds the status of a result line without decoding the rest: it stands before any text that a
// client could have put there.
func statusOf(line []byte) string {
	_, rest, ok := bytes.Cut(line, []byte(`"status":`))
	if !ok || len(rest) < 3 {
		return "no status"
	}
	return string(rest[:3])
}
