package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
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
)

// bulk sends orders as lines of a few long requests; the results come back in order.
func (r *run) bulk(ctx context.Context) error {
	errs := make(chan error, bulkStreams)
	for stream := range bulkStreams {
		go func() { errs <- r.stream(ctx, uint64(stream)) }()
	}
	var first error
	for range bulkStreams {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (r *run) stream(ctx context.Context, seed uint64) error {
	body, in := io.Pipe()
	// The stream ends by the end of its lines, not by the context: every line sent is answered.
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, r.cfg.URLs[int(seed)%len(r.cfg.URLs)]+"/v1/commands", body)
	if err != nil {
		return fmt.Errorf("open a bulk stream: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	started := make(chan time.Time, bulkAhead)
	var sending sync.WaitGroup
	sending.Add(1)
	go func() {
		defer sending.Done()
		r.sendLines(ctx, in, started, seed)
	}()
	defer sending.Wait()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		_ = body.CloseWithError(err)
		return fmt.Errorf("send a bulk stream: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return r.readResults(resp.Body, started)
}

func (r *run) sendLines(ctx context.Context, in *io.PipeWriter, started chan<- time.Time, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 11))
	w := bufio.NewWriterSize(in, 64<<10)
	var line []byte
	for ctx.Err() == nil {
		n, more := r.take()
		if !more {
			break
		}
		line = append(line[:0], `{"id":"`...)
		line = append(line, r.cfg.KeyPrefix...)
		line = append(line, '-')
		line = strconv.AppendInt(line, n, 10)
		line = append(line, `","type":"place_order","body":`...)
		line = append(r.cfg.appendOrder(line, rng), '}', '\n')
		select {
		case started <- time.Now():
		default: // the window is full: what is buffered must go out before this waits
			if w.Flush() != nil {
				break
			}
			started <- time.Now()
		}
		if _, err := w.Write(line); err != nil {
			break // the reader of results says why
		}
	}
	close(started)
	_ = in.CloseWithError(w.Flush()) // nil closes the stream as ended
}

func (r *run) readResults(body io.Reader, started <-chan time.Time) error {
	local, answers := newHistogram(), map[string]int64{}
	defer func() { r.merge(local, answers) }()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxLineBytes)
	for lines.Scan() {
		at, ok := <-started
		if !ok {
			return fmt.Errorf("more results than lines: %s", lines.Bytes())
		}
		answers[statusOf(lines.Bytes())]++
		r.record(local, at)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read bulk results: %w", err)
	}
	return nil
}

// statusOf finds the status of a result line without decoding the rest.
func statusOf(line []byte) string {
	_, rest, ok := bytes.Cut(line, []byte(`"status":`))
	if !ok || len(rest) < 3 {
		return "no status"
	}
	return string(rest[:3])
}
