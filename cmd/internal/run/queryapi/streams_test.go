package queryapi_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cmd/internal/run/queryapi"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// reading is a stream that a test reads.
type reading struct {
	t *testing.T
	*http.Response
	lines *bufio.Scanner
	leave func()
}

// open opens a stream. Headers are "Name: value".
func (s *shop) open(t *testing.T, path string, headers ...string) *reading {
	t.Helper()
	ctx, leave := context.WithCancel(s.Ctx)
	t.Cleanup(leave)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Add(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return &reading{t, response, bufio.NewScanner(response.Body), leave}
}

// next is the next message that is no comment: its id, its name and its data, as far as there are any.
func (r *reading) next() (id, event, data string) {
	r.t.Helper()
	for r.lines.Scan() {
		name, value, _ := strings.Cut(r.lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			data = value
		case "":
			if id != "" || data != "" {
				return id, event, data
			}
		}
	}
	r.t.Fatalf("the stream ended: %v", r.lines.Err())
	return "", "", ""
}

// expect checks the next message. data is how it begins.
func (r *reading) expect(id, event, data string) {
	r.t.Helper()
	gotID, gotEvent, gotData := r.next()
	if gotID != id || gotEvent != event || !strings.HasPrefix(gotData, data) {
		r.t.Errorf("got %s %s %s\nwant %s %s %s", gotID, gotEvent, gotData, id, event, data)
	}
}

// refused checks a refusal.
func (s *shop) refused(t *testing.T, status int, code, path string, headers ...string) {
	t.Helper()
	r := s.open(t, path, headers...)
	defer r.leave()
	if r.lines.Scan(); r.StatusCode != status || !strings.Contains(r.lines.Text(), `"code":"`+code+`"`) {
		t.Errorf("%s: %d %s", path, r.StatusCode, r.lines.Text())
	}
}

// stock appends the registration of an item, or a receipt, and returns its place.
func (s *shop) stock(sku string) string { return s.append(s.stockEvent(sku)) }

func (s *shop) append(rec *eventlog.Record) string {
	s.T.Helper()
	if err := s.Client.Produce(s.Ctx, []*eventlog.Record{rec}); err != nil {
		s.T.Fatal(err)
	}
	return eventlog.PositionOf(eventlog.Offsets{rec.TopicPartition: rec.Offset + 1}).String()
}

func TestStreams(t *testing.T) {
	s := newShop(t)
	id, other := s.orderID(1), s.orderID(2)
	for s.PartitionOf(other) != s.PartitionOf(id) {
		other = s.orderID(int(other[len(other)-1]-'0') + 1)
	}
	first := s.append(s.orderEvent(id))
	s.stock("A")
	s.stock("A")
	defer s.serve()()

	t.Run("an order", func(t *testing.T) {
		one := s.open(t, "/v1/orders/"+id+"/stream")
		if one.Header.Get("Content-Type") != "text/event-stream" || one.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", one.Header)
		}
		one.expect(first, "order", `{"order_id":"`+id+`"`)
		one.expect(first, "", "")
		s.append(s.orderEvent(other))
		second := s.append(s.orderEvent(id))
		one.expect(second, "order_held", `{"order_id":"`+id+`"`)
		again := s.open(t, "/v1/orders/"+id+"/stream?after=now", "Last-Event-ID: "+first)
		again.expect(second, "order_held", `{"order_id":"`+id+`"`)
		all := s.open(t, "/v1/orders/stream?after=start&customer_id=c-1&status=on_hold")
		all.expect(second, "order_held", `{"order_id":"`+id+`"`)
	})
	t.Run("an order that comes yet", func(t *testing.T) {
		coming, last := s.orderID(100), s.append(s.orderEvent(other))
		for n := 101; s.PartitionOf(coming) != s.PartitionOf(id); n++ {
			coming = s.orderID(n)
		}
		partition, offset, _ := strings.Cut(last, ".")
		next, err := strconv.Atoi(offset)
		if err != nil {
			t.Fatal(err)
		}
		status := make(chan int)
		go func() {
			response, err := http.Get(fmt.Sprintf("http://%s/v1/orders/%s/stream?after=%s.%d",
				s.address, coming, partition, next+1))
			if err != nil {
				status <- 0
				return
			}
			status <- response.StatusCode
			_ = response.Body.Close()
		}()
		s.append(s.orderEvent(coming))
		if got := <-status; got != http.StatusOK {
			t.Errorf("it is answered %d", got)
		}
	})
	t.Run("stock", func(t *testing.T) {
		here := s.open(t, "/v1/availability/stream?skus=A,B")
		place, event, data := here.next()
		if event != "availability" || !strings.Contains(data, `"sku":"A"`) || !strings.Contains(data, `"version":2`) {
			t.Errorf("got %s %s %s", place, event, data)
		}
		here.expect(place, "", "")
		low := s.open(t, "/v1/availability/stream?location=main&below=3&after="+place)
		low.expect(place, "", "")
		elsewhere := s.open(t, "/v1/availability/stream?location=north&after=start")
		elsewhere.expect(place, "", "")
		s.stock("B")
		if _, _, data := here.next(); !strings.HasPrefix(data, `{"sku":"B","description":"","version":1`) {
			t.Errorf("got %s", data)
		}
		for range 3 {
			s.stock("A")
			if _, _, data := here.next(); !strings.HasPrefix(data, `{"sku":"A"`) {
				t.Errorf("got %s", data)
			}
		}
		if _, _, data := low.next(); !strings.HasPrefix(data, `{"sku":"B"`) {
			t.Errorf("below 3: %s", data)
		}
		if _, _, data := low.next(); !strings.Contains(data, `"version":3`) { // of 2; then there are 3, and 4
			t.Errorf("below 3: %s", data)
		}
		behind, _, _ := here.open(s, place).next()
		if behind == place {
			t.Errorf("after %s comes %s", place, behind)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		s.refused(t, 404, "order_not_found", "/v1/orders/5f0c7f5e-2d5c-8a35-9d2f-0c9a3c1f7a11/stream")
		for _, path := range []string{"/v1/orders/stream", "/v1/orders/" + id + "/stream", "/v1/availability/stream"} {
			s.refused(t, 400, "invalid_parameter", path+"?after=")
			s.refused(t, 400, "invalid_position", path+"?after=o1")
			s.refused(t, 400, "invalid_position", path, "Last-Event-ID: 7")
			s.refused(t, 400, "duplicate_header", path, "Last-Event-ID: o0.1", "Last-Event-ID: o0.2")
			s.refused(t, 400, "invalid_parameter", path+"?since=now")
			s.refused(t, 409, "log_restored", path+"?after=r1a2b3c4d~o0.1")
			s.refused(t, 409, "log_restored", path, "Last-Event-ID: r1a2b3c4d~o0.1")
		}
		long := strings.Repeat("x", 200)
		for _, path := range []string{
			"/v1/orders/stream?after=here", "/v1/orders/stream?status=lost", "/v1/orders/stream?customer_id=" + long,
			"/v1/availability/stream?skus=", "/v1/availability/stream?below=0", "/v1/availability/stream?after=here",
		} {
			s.refused(t, 400, "invalid_parameter", path)
		}
		s.refused(t, 400, "too_many_skus", "/v1/availability/stream?skus=0"+manySKUs())
		response, err := http.Head("http://" + s.address + "/v1/orders/stream")
		if err != nil || response.StatusCode != http.StatusOK || response.Body.Close() != nil {
			t.Errorf("HEAD: %v %v", response, err)
		}
	})
}

// manySKUs are more than one stream may name.
func manySKUs() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, ",s-%d", i)
	}
	return b.String()
}

// open opens a stream of all stock behind a position.
func (r *reading) open(s *shop, after string) *reading {
	return s.open(r.t, "/v1/availability/stream?after="+after)
}

// A replica has so many streams; those that there are end with a reason when it stops.
func TestStreamsAreLimitedAndEndWithTheServer(t *testing.T) {
	s := newShop(t)
	s.stock("A")
	stop := s.serveWith(queryapi.Config{MaxStreams: 1})
	only := s.open(t, "/v1/availability/stream?skus=A")
	only.next()
	only.next()
	s.refused(t, 503, "too_many_streams", "/v1/orders/stream")
	stop()
	only.expect("", "end", `{"code":"server_stopping","detail":"`)
	stop = s.serve()
	defer stop()
	only.leave()
	s.open(t, "/v1/availability/stream?skus=A").next()
}
