package queries

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// longLedger is a ledger with many rows, of which it fails after some.
type longLedger struct {
	ledger
	rows, failsAfter int
	// sent is called after each row.
	sent func(row int)
}

func (l *longLedger) StreamRevenue(ctx context.Context, _ analytics.ReportQuery, sink analytics.Sink) error {
	err := sink.Begin([]string{"sku", "note"})
	row := []string{"", strings.Repeat("x", 90)}
	for i := range l.rows {
		if row[0] = fmt.Sprint("sku-", i); err == nil {
			err = sink.Row(row)
		}
		if l.sent != nil {
			l.sent(i)
		}
		switch {
		case err != nil:
			return err
		case l.failsAfter > 0 && i == l.failsAfter:
			return &clickhouse.Error{Err: errors.New("the engine is gone")}
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
	return err
}

// CSV has all rows, however many there are: more than a page, and more than fit in the memory that it takes.
func TestCSVHasAllRowsInFlatMemory(t *testing.T) {
	const rows = 300_000 // 30 MB
	var most, before uint64
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before = m.HeapAlloc
	l := &longLedger{rows: rows, sent: func(row int) {
		if row%50_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}}
	s := newReportSite(t, &l.ledger, l)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/reports/revenue?by=sku", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/csv")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines, last := 0, ""
	scanner := bufio.NewScanner(answer.Body)
	for scanner.Scan() {
		lines, last = lines+1, scanner.Text()
	}
	if scanner.Err() != nil || lines != rows+1 || !strings.HasPrefix(last, "sku-299999,") ||
		answer.Trailer.Get("Holdfast-Rows") != "300000" {
		t.Errorf("%d lines, the last one %q, trailer %v: %v", lines, last, answer.Trailer, scanner.Err())
	}
	if most > before+10<<20 { // a third of the answer: buffers of the connection are larger on a busy machine
		t.Errorf("took %d bytes more than before", most-before)
	}
}

// An answer that fails on its way cannot be taken for a whole one: it has no last chunk, and no trailer.
func TestCSVThatBreaksOffIsAnError(t *testing.T) {
	l := &longLedger{rows: 10_000, failsAfter: 5_000}
	s := newReportSite(t, &l.ledger, l)
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "GET /v1/reports/revenue?by=sku HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/csv\r\n\r\n")
	raw, err := io.ReadAll(connection)
	if err != nil || !strings.Contains(string(raw), "Trailer: Holdfast-Rows\r\n") ||
		!strings.Contains(string(raw), "sku-100,") || strings.HasSuffix(string(raw), "0\r\n\r\n") ||
		strings.Contains(string(raw), "Holdfast-Rows: ") {
		t.Errorf("%v: %.200s … %q", err, raw, raw[len(raw)-20:])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/reports/revenue?by=sku", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/csv")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the body ends with %v", err)
	}
	l.failsAfter, l.broken = 0, nil
	if _, body := s.get(t, "/v1/reports/revenue?by=sku", "text/csv", ""); strings.Count(body, "\n") != 10_001 {
		t.Errorf("afterwards: %d lines", strings.Count(body, "\n"))
	}
}

// A client that goes away ends the work.
func TestCSVEndsWithItsClient(t *testing.T) {
	ended := make(chan int, 1)
	last := 0
	l := &longLedger{rows: 1 << 40, sent: func(row int) { last = row }}
	s := newReportSite(t, &l.ledger, streamed{l, func() { ended <- last }})
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/reports/revenue?by=sku", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/csv")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, answer.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	cancel()
	answer.Body.Close()
	<-ended
}

type streamed struct {
	*longLedger
	end func()
}

func (s streamed) StreamRevenue(ctx context.Context, q analytics.ReportQuery, sink analytics.Sink) error {
	defer s.end()
	return s.longLedger.StreamRevenue(ctx, q, sink)
}

// Answers as CSV are as many at a time as have places, and give them back.
func TestAnswersAsCSVAreBounded(t *testing.T) {
	begun, goOn := make(chan struct{}, MaxCSVStreams), make(chan struct{})
	l := &longLedger{rows: 1, sent: func(int) {
		begun <- struct{}{}
		<-goOn
	}}
	s := newReportSite(t, &l.ledger, l)
	var open sync.WaitGroup
	for range MaxCSVStreams {
		open.Go(func() {
			if a, _ := s.get(t, "/v1/reports/revenue?by=sku", "text/csv", ""); a.StatusCode != http.StatusOK {
				t.Errorf("one with a place got %d", a.StatusCode)
			}
		})
		<-begun
	}
	s.refused(t, "/v1/reports/revenue?by=sku", "text/csv", "", http.StatusTooManyRequests, "ask again when one has ended")
	close(goOn)
	open.Wait()
	if a, _ := s.get(t, "/v1/reports/revenue?by=sku", "text/csv", ""); a.StatusCode != http.StatusOK {
		t.Errorf("afterwards one got %d", a.StatusCode)
	}
}

// Whoever asks for a page of CSV is told that it has all rows. Failures before the first row are problems.
func TestCSVRefuses(t *testing.T) {
	l := &ledger{}
	s := newReportSite(t, l)
	const revenue = "/v1/reports/revenue?by=country"
	for _, parameter := range []string{"limit", "cursor"} {
		s.refused(t, revenue+"&"+parameter+"=7", "text/csv", "", http.StatusBadRequest,
			`{"pointer":"/`+parameter+`","detail":"cannot be asked for with CSV, which has all rows`)
	}
	s.refused(t, revenue, "text/csv", "x", http.StatusBadRequest, "invalid_position")
	l.broken = fmt.Errorf("ClickHouse: %w", context.DeadlineExceeded)
	s.refused(t, revenue, "text/csv", "", http.StatusUnprocessableEntity, "ask for a shorter time (from, to)")
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: text/csv\r\n\r\n", revenue)
	if raw, err := io.ReadAll(connection); err != nil || !strings.Contains(string(raw), " 406 ") ||
		!strings.Contains(string(raw), "use HTTP/1.1") {
		t.Errorf("HTTP/1.0: %v %s", err, raw)
	}
}

// HEAD has the headers of GET, and reads no rows.
func TestCSVOfHead(t *testing.T) {
	l := &longLedger{rows: 10, sent: func(row int) {
		if row > 0 {
			t.Errorf("row %d was read", row)
		}
	}}
	s := newReportSite(t, &l.ledger, l)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.URL+"/v1/reports/revenue?by=sku", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/csv")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if h := answer.Header; answer.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/csv; charset=utf-8" ||
		h.Get("Holdfast-Position") != "o3.10~i7.88" {
		t.Errorf("%s %v", answer.Status, h)
	}
}
