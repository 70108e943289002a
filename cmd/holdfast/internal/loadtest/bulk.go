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
	// bulkAhead is the most lines of one stream that wait for their result.
	bulkAhead    = 4_000
	maxLineBytes = 1 << 20
	bulkBuffer   = 64 << 10
)

// bulk sends orders as lines of a few long requests. Their results come back in order.
func (r *run) bulk(ctx context.Context) error {
	var streams sync.WaitGroup
	var errs [bulkStreams]error
	for n := range bulkStreams {
		streams.Go(func() { errs[n] = r.stream(ctx, r.cfg.URLs[n%len(r.cfg.URLs)]) })
	}
	streams.Wait()
	return errors.Join(errs[:]...)
}

// stream sends lines until none is left. Lines that must be retried after the last line was sent go into further
// requests.
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
	// The stream does not end with the run, so that every line gets its result. It ends after its last line, or when the
	// platform is silent for too long.
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
	sending.Go(func() { r.sendLines(ctx, in, w) })
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
	if n := w.pending(); n > 0 {
		return fmt.Errorf("a bulk stream ended with %d lines unanswered", n)
	}
	return nil
}

// sendLines writes lines until there are no more.
func (r *run) sendLines(ctx context.Context, in *io.PipeWriter, w *window) {
	out := bufio.NewWriterSize(in, bulkBuffer)
	nextOrder := func() (int64, bool) {
		if ctx.Err() != nil {
			return 0, false
		}
		return r.nextOrder()
	}
	var line []byte
	var lastPause time.Time
	for {
		s, next := w.claim(nextOrder)
		switch next {
		case turnEnd:
			_ = in.CloseWithError(out.Flush()) // nil closes the stream as ended
			return
		case turnWait:
			// Buffered lines must be sent before the stream waits for their results.
			if out.Flush() != nil {
				return // the reader of results returns the reason
			}
			w.wait()
			continue
		case turnRetry:
			if time.Since(lastPause) > retryPause {
				time.Sleep(retryPause)
				lastPause = time.Now()
			}
		case turnSend:
		}
		line = r.appendLine(line[:0], s.n)
		if _, err := out.Write(line); err != nil {
			return // the reader of results returns the reason
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

// readResults reads results until the stream ends. Each one resets the timer of a silent stream.
func (r *run) readResults(body io.Reader, w *window, silence *time.Timer) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, bulkBuffer), maxLineBytes)
	for lines.Scan() {
		s, ok := w.remove()
		if !ok {
			return fmt.Errorf("more results than lines: %s", lines.Bytes())
		}
		silence.Reset(r.cfg.RetryFor)
		answer := statusOf(lines.Bytes())
		status, _ := strconv.Atoi(answer) // 0 without a status, which is never expected
		if retryable(status) {
			r.retried(answer)
			if time.Since(s.at) < r.cfg.RetryFor {
				w.retry(s)
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

// statusOf finds the status of a result line without decoding the line. The first "status" is the right one, because
// the server writes it before any text that comes from a client.
func statusOf(line []byte) string {
	_, after, ok := bytes.Cut(line, []byte(`"status":`))
	if !ok || len(after) < 3 {
		return "no status"
	}
	return string(after[:3])
}
