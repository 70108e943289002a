package commands

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/shard"
)

// newBoundedSite is a site whose requests may take the least memory there may be.
func newBoundedSite(t testing.TB, d *desk) *site {
	t.Helper()
	a := d.api()
	a.memory = httpapi.NewMemory(httpapi.MinMemory)
	return &site{apitest.NewSite(t, nil, a.register), d}
}

// wideLine is a line with so many bytes of text.
func wideLine(key, sku string, bytes int) string {
	return `{"id":"` + key + `","type":"receive_stock","sku":"` + sku + `","body":{"quantity":1` +
		strings.Repeat(" ", bytes) + "}}\n"
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for poll := time.Tick(time.Millisecond); !condition(); {
		select {
		case <-poll:
		case <-deadline:
			t.Error("never: " + what)
			return
		}
	}
}

// A stream is read as far as its memory goes, not as many lines as may be: then it waits for answers.
func TestAStreamIsReadAsFarAsItsMemoryGoes(t *testing.T) {
	const bytes, lines = 200 << 10, 100
	most := httpapi.MinMemory / 4 / httpapi.LineBytes(bytes, bulkFirstAnswer)
	var underWay, peak atomic.Int64
	waiting := make(chan func(), lines)
	s := newBoundedSite(t, &desk{decide: func(cmd *shard.Command, f *handFuture) {
		peak.Store(max(peak.Load(), underWay.Add(1)))
		waiting <- func() { underWay.Add(-1); f.finish(success(cmd)) }
	}})
	var body strings.Builder
	for i := range lines {
		body.WriteString(wideLine(fmt.Sprint("k-", i), fmt.Sprint("S-", i), bytes))
	}
	answers := make(chan []resultLine, 1)
	go func() { answers <- s.bulk(t, strings.NewReader(body.String())) }()
	eventually(t, "the stream has as much under way as it may", func() bool { return underWay.Load() == most })
	for range lines {
		(<-waiting)()
	}
	if results := <-answers; len(results) != lines {
		t.Errorf("%d answers to %d lines", len(results), lines)
	}
	if most = httpapi.MinMemory / 4 / httpapi.LineBytes(bytes, 0); peak.Load() > most {
		t.Errorf("%d lines were under way, and there is memory for %d", peak.Load(), most)
	}
}

// Streams that are not answered keep the memory; others have one line under way at a time, and go on.
func TestStreamsGoOnBesideThoseThatKeepTheMemory(t *testing.T) {
	const bytes = 200 << 10
	var kept atomic.Int64
	goOn := make(chan struct{})
	s := newBoundedSite(t, &desk{decide: func(cmd *shard.Command, f *handFuture) {
		if !strings.HasPrefix(cmd.Key, "kept") {
			f.finish(success(cmd))
			return
		}
		kept.Add(1)
		go func() { <-goOn; f.finish(success(cmd)) }()
	}})
	answers := make(chan int, 2)
	for n := range cap(answers) {
		var body strings.Builder
		for i := range 20 {
			body.WriteString(wideLine(fmt.Sprintf("kept-%d-%d", n, i), fmt.Sprintf("S-%d-%d", n, i), bytes))
		}
		go func() { answers <- len(s.bulk(t, strings.NewReader(body.String()))) }()
	}
	most := 2 * (httpapi.MinMemory / 4 / httpapi.LineBytes(bytes, bulkFirstAnswer))
	eventually(t, "both streams have as much under way as they may", func() bool { return kept.Load() == most })
	for _, size := range []int{100, limits.MaxBulkLineBytes - 200} {
		var body strings.Builder
		for i := range 20 {
			body.WriteString(wideLine(fmt.Sprintf("other-%d", i), fmt.Sprintf("T-%d", i), size))
		}
		if results := s.bulk(t, strings.NewReader(body.String())); len(results) != 20 {
			t.Errorf("%d answers to 20 lines of %d bytes", len(results), size)
		}
	}
	close(goOn)
	for range cap(answers) {
		if n := <-answers; n != 20 {
			t.Errorf("%d answers to 20 lines", n)
		}
	}
}

// A stream that stays open keeps nothing of the answers that it has given.
func TestAStreamKeepsNoAnswers(t *testing.T) {
	answered := make(chan weak.Pointer[shard.StockSummary], 1)
	s := newSite(t, &desk{decide: func(cmd *shard.Command, f *handFuture) {
		r := success(cmd)
		answered <- weak.Make(r.Stock)
		f.finish(r)
	}})
	reader, writer := io.Pipe()
	defer writer.Close()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/v1/commands", reader)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.WriteString(writer, receiveLine("k", "A1")); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(response.Body).ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	stock := <-answered
	eventually(t, "the answer is collected", func() bool {
		runtime.GC()
		return stock.Value() == nil
	})
}

// Where the requests under way take all memory there is for them, the next one is refused before its body is read.
func TestARequestWithoutRoomIsRefusedBeforeItsBody(t *testing.T) {
	s := newBoundedSite(t, &desk{})
	begin := func(key string) (net.Conn, *bufio.Reader) {
		connection, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(connection, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"Idempotency-Key: %s\r\nContent-Length: %d\r\n\r\n", key, limits.MaxBodyBytes)
		return connection, bufio.NewReader(connection)
	}
	connection, _ := begin("slow")
	defer connection.Close()
	eventually(t, "a second request is refused", func() bool {
		second, reader := begin("second")
		defer second.Close()
		if err := second.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return false // it was admitted first, and waits for its body
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusTooManyRequests && response.Header.Get("Retry-After") != ""
	})
	connection.Close()
	eventually(t, "there is room again", func() bool {
		return s.Do(t, http.MethodPost, "/v1/orders", goodOrder, "Idempotency-Key: k").Status == http.StatusCreated
	})
}
