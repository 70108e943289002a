package commands

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

type resultLine struct {
	ID      string `json:"id"`
	Status  int    `json:"status"`
	OrderID string `json:"order_id"`
	SKU     string `json:"sku"`
	Problem *apitest.Problem
}

func (s *site) bulk(t testing.TB, body io.Reader) []resultLine {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/v1/commands", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var results []resultLine
	scanner := bufio.NewScanner(response.Body)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		results = append(results, parseResult(t, scanner.Bytes()))
	}
	return results
}

func parseResult(t testing.TB, line []byte) resultLine {
	t.Helper()
	var r resultLine
	if err := json.Unmarshal(line, &r, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

func placeLine(key string) string {
	return `{"id":"` + key + `","type":"place_order","body":` + goodOrder + "}\n"
}

func receiveLine(key, sku string) string {
	return `{"id":"` + key + `","type":"receive_stock","sku":"` + sku + `","body":{"quantity":1}}` + "\n"
}

// Results come in input order whatever the order of the outcomes.
func TestBulkAnswersInInputOrder(t *testing.T) {
	var group sync.WaitGroup
	var n atomic.Int64
	s := newSite(t, &desk{decide: func(cmd *shard.Command, f *handFuture) {
		turn := n.Add(1)
		group.Go(func() {
			time.Sleep(time.Duration(turn%7) * time.Millisecond) // outcomes out of order
			f.finish(success(cmd))
		})
	}})
	t.Cleanup(group.Wait)
	const lines = 3 * BulkWindow
	var body strings.Builder
	for i := range lines {
		body.WriteString(placeLine(fmt.Sprint("k-", i)))
	}
	results := s.bulk(t, strings.NewReader(body.String()))
	if len(results) != lines {
		t.Fatalf("%d results, want %d", len(results), lines)
	}
	for i, r := range results {
		if r.ID != fmt.Sprint("k-", i) || r.Status != 201 || r.OrderID == "" {
			t.Fatalf("result %d is %+v", i, r)
		}
	}
}

// A command on an order waits for the one before it; commands on other aggregates do not wait.
func TestBulkKeepsTheOrderOfCommandsOnOneOrder(t *testing.T) {
	var mu sync.Mutex
	var placed *handFuture
	var placedCommand *shard.Command
	other := make(chan struct{})
	d := &desk{}
	d.decide = func(cmd *shard.Command, f *handFuture) {
		mu.Lock()
		defer mu.Unlock()
		switch cmd.Type {
		case command.PlaceOrder:
			placed, placedCommand = f, cmd
			f.accept(success(cmd)) // durable, without an outcome
			return
		case command.ConfirmOrder, command.CancelOrder:
			select {
			case <-placed.done:
			default:
				t.Errorf("%s overtook place_order", cmd.Type)
			}
		case command.ReceiveStock:
			close(other)
		}
		f.finish(success(cmd))
	}
	s := newSite(t, d)
	go func() {
		<-other
		mu.Lock()
		defer mu.Unlock()
		placed.finish(success(placedCommand))
	}()
	id := orderid.ByKey(orderid.DefaultTenant, "k")
	results := s.bulk(t, strings.NewReader(placeLine("k")+
		`{"id":"l","type":"confirm_order","order_id":"`+id+`"}`+"\n"+
		`{"id":"m","type":"cancel_order","order_id":"`+id+`"}`+"\n\n"+
		`{"id":"n","type":"receive_stock","sku":"A1","body":{"quantity":1}}`))
	var got []string
	for _, cmd := range d.taken() {
		got = append(got, cmd.Type)
	}
	if want := "place_order receive_stock confirm_order cancel_order"; strings.Join(got, " ") != want ||
		len(results) != 4 {
		t.Errorf("submitted %v with %d results, want %s", got, len(results), want)
	}
}

// Results flow while the body is still being sent.
func TestBulkIsFullDuplex(t *testing.T) {
	s := newSite(t, &desk{})
	reader, writer := io.Pipe()
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
	results := bufio.NewReader(response.Body)
	for i := range 10 {
		if _, err := io.WriteString(writer, placeLine(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		line, err := results.ReadBytes('\n')
		if err != nil || parseResult(t, line).ID != fmt.Sprint(i) {
			t.Fatalf("line %d: %s %v", i, line, err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(results); len(rest) != 0 || err != nil {
		t.Errorf("after the end: %q %v", rest, err)
	}
}

func TestBulkAnswersBadLinesWithProblems(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	long := strings.Repeat("x", limits.MaxBulkLineBytes)
	results := s.bulk(t, strings.NewReader("{\n"+
		`{"id":"a","type":"receive_stock","sku":"A1","body":{"quantity":0}}`+"\n"+
		placeLine("b")+`{"id":"c","type":"`+long+"\"}\n"+placeLine("d")))
	want := []struct {
		id, code, pointer string
		status            int
	}{
		{"", "malformed_json", "", 400}, {"a", "invalid_quantity", "/body/quantity", 400}, {"b", "", "", 201}, {"",
			"line_too_long", "", 413},
	}
	if len(results) != len(want) {
		t.Fatalf("results %+v", results)
	}
	for i, w := range want {
		r := results[i]
		code, pointer := "", ""
		if r.Problem != nil {
			code = r.Problem.Code
			if len(r.Problem.Errors) > 0 {
				pointer = r.Problem.Errors[0].Pointer
			}
		}
		if r.ID != w.id || r.Status != w.status || code != w.code || pointer != w.pointer {
			t.Errorf("result %d is %+v %s %s, want %+v", i, r, code, pointer, w)
		}
	}
	if n := len(d.taken()); n != 1 {
		t.Errorf("%d commands submitted, want 1", n)
	}
}

// The header of a stream names who asks for all of its lines.
func TestBulkNamesTheActorOfEachLine(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	s.Unchecked = true // two lines are no JSON
	r := s.Do(t, http.MethodPost, "/v1/commands", placeLine("a")+receiveLine("b", "A1"),
		"Content-Type: application/x-ndjson", "Holdfast-Actor: zoë")
	if r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	got := d.taken()
	if len(got) != 2 || got[0].Principal.Name != "zoë" || got[1].Principal.Name != "zoë" || got[0].Principal.Verified {
		t.Errorf("commands %+v", got)
	}
}

// A long line within the limit is taken whole.
func TestBulkTakesLongLines(t *testing.T) {
	s := newSite(t, &desk{})
	line := strings.Repeat(`{"sku":"A1","quantity":2,"unit_price":"2.55"},`, limits.MaxLines-1)
	results := s.bulk(t, strings.NewReader(strings.Replace(placeLine("k"), `"lines":[`, `"lines":[`+line, 1)))
	if len(results) != 1 || results[0].Status != 201 {
		t.Errorf("results %+v", results)
	}
}

// Commands on an item do not wait for each other where one queue keeps their order.
func TestBulkPipelinesCommandsOnOneItem(t *testing.T) {
	const lines = 100
	var waiting []*handFuture
	s := newSite(t, &desk{queue: true, decide: func(cmd *shard.Command, f *handFuture) {
		if waiting = append(waiting, f); len(waiting) < lines {
			return // no outcome before all are there
		}
		for _, f := range waiting {
			f.finish(success(cmd))
		}
	}})
	var body strings.Builder
	for i := range lines {
		body.WriteString(receiveLine(fmt.Sprint("k-", i), "A1"))
	}
	for i, r := range s.bulk(t, strings.NewReader(body.String())) {
		if r.ID != fmt.Sprint("k-", i) || r.Status != 201 {
			t.Errorf("result %d is %+v", i, r)
		}
	}
}

// A line that had to wait is tried again also when it is a peer whose queue is full.
func TestBulkWaitsForRoomInAPeersQueue(t *testing.T) {
	var first *handFuture
	var tries atomic.Int64
	other := make(chan struct{})
	var group sync.WaitGroup
	s := newSite(t, &desk{decide: func(cmd *shard.Command, f *handFuture) {
		switch cmd.Key {
		case "first":
			first = f
		case "other":
			f.finish(success(cmd))
			close(other)
		default:
			group.Go(func() { // the answer comes later
				if tries.Add(1) < 3 {
					f.finish(shard.Result{Code: problem.TooManyRequests})
					return
				}
				f.finish(success(cmd))
			})
		}
	}})
	t.Cleanup(group.Wait)
	go func() {
		<-other
		first.finish(shard.Result{})
	}()
	for _, r := range s.bulk(t, strings.NewReader(receiveLine("first", "A1")+receiveLine("second",
		"A1")+receiveLine("other", "A2"))) {
		if r.Status != 201 {
			t.Errorf("result %+v", r)
		}
	}
}

// A full queue makes the stream wait; the client sees no 429.
func TestBulkWaitsForRoomInTheQueue(t *testing.T) {
	var n atomic.Int64
	s := newSite(t, &desk{decide: func(cmd *shard.Command, f *handFuture) {
		if n.Add(1)%3 != 0 {
			f.finish(shard.Result{Code: problem.TooManyRequests})
			return
		}
		f.finish(success(cmd))
	}})
	for _, r := range s.bulk(t, strings.NewReader(placeLine("a")+placeLine("b"))) {
		if r.Status != 201 {
			t.Errorf("result %+v", r)
		}
	}
}

// What comes after a command without an outcome must not overtake it: on an order, on an item, and long after.
func TestBulkRunsNothingAheadOfALineWithoutAnOutcome(t *testing.T) {
	d := &desk{decide: func(cmd *shard.Command, f *handFuture) {
		if cmd.Key == "open" {
			f.finish(shard.Result{Code: problem.Unavailable})
			return
		}
		f.finish(success(cmd))
	}}
	s := newSite(t, d)
	order := orderid.ByKey(orderid.DefaultTenant, "open")
	var body strings.Builder
	body.WriteString(receiveLine("open", "A1") + receiveLine("after", "A1") + receiveLine("other", "A2"))
	body.WriteString(placeLine("open") + `{"id":"confirm","type":"confirm_order","order_id":"` + order + "\"}\n")
	for i := range 3 * BulkWindow {
		body.WriteString(receiveLine(fmt.Sprint("k-", i), fmt.Sprint("S-", i)))
	}
	body.WriteString(receiveLine("late", "A1"))
	byID := map[string]int{}
	for _, r := range s.bulk(t, strings.NewReader(body.String())) {
		byID[r.ID] = r.Status
	}
	for id, want := range map[string]int{"after": 503, "confirm": 503, "late": 503, "other": 201, "k-0": 201} {
		if byID[id] != want {
			t.Errorf("%s: %d, want %d", id, byID[id], want)
		}
	}
	for _, cmd := range d.taken() {
		switch cmd.Key {
		case "after", "confirm", "late":
			t.Errorf("%s was submitted", cmd.Key)
		}
	}
}

// The next command on an item waits for the one before it unless it can stand behind it in the same queue: whoever has
// that one may still refuse it.
func TestBulkRunsNothingAheadOfALineThatIsRefusedLate(t *testing.T) {
	for _, code := range []string{problem.TooManyRequests, problem.Unavailable} {
		t.Run(code, func(t *testing.T) {
			var first *handFuture
			elsewhere := make(chan struct{})
			d := &desk{decide: func(cmd *shard.Command, f *handFuture) {
				switch {
				case cmd.Key == "other":
					close(elsewhere)
					fallthrough
				case cmd.Key != "first":
					f.finish(success(cmd))
				default:
					first = f // a peer has it
				}
			}}
			s := newSite(t, d)
			go func() {
				<-elsewhere
				first.finish(shard.Result{Code: code})
			}()
			results := s.bulk(t, strings.NewReader(receiveLine("first", "A1")+receiveLine("second", "A1")+receiveLine("other",
				"A2")))
			if len(results) != 3 || results[0].Problem.Code != code || results[1].Status != 503 || results[2].Status != 201 {
				t.Errorf("results %+v", results)
			}
			for _, cmd := range d.taken() {
				if cmd.Key == "second" {
					t.Error("the second was submitted")
				}
			}
		})
	}
}

// When the server stops, an open stream gets the results under way and a last line that says so.
func TestStopEndsBulkStreams(t *testing.T) {
	server, err := httpapi.NewServer(httpapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{}
	d.api().register(server.Router())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	address, stopped := make(chan string, 1), make(chan error, 1)
	go func() { stopped <- server.Run(ctx, "127.0.0.1:0", func(a string) { address <- a }) }()
	connection, err := net.Dial("tcp", <-address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	line := placeLine("a")
	fmt.Fprintf(connection, "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(line), line)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	results := bufio.NewReader(response.Body)
	first, err := results.ReadBytes('\n')
	if err != nil || parseResult(t, first).Status != 201 {
		t.Fatalf("%s %v", first, err)
	}
	cancel()
	last, err := results.ReadBytes('\n')
	if err != nil || parseResult(t, last).Problem.Code != problem.Unavailable {
		t.Errorf("%s %v", last, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func BenchmarkBulk(b *testing.B) {
	s := newSite(b, &desk{decide: func(cmd *shard.Command, f *handFuture) { f.finish(success(cmd)) }})
	line := []byte(placeLine("a-key-of-usual-length"))
	reader, writer := io.Pipe()
	go func() {
		block := []byte(strings.Repeat(string(line), 256))
		for n := b.N; n > 0; n -= 256 {
			if _, err := writer.Write(block[:min(n, 256)*len(line)]); err != nil {
				return
			}
		}
		writer.Close()
	}()
	b.ReportAllocs()
	b.ResetTimer()
	response, err := s.Client().Post(s.URL+"/v1/commands", "application/x-ndjson", reader)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		b.Fatal(err)
	}
}

// discard is a response that goes nowhere.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// What a POST /v1/orders costs besides net/http and the shards.
func BenchmarkPlaceOrder(b *testing.B) {
	server, err := httpapi.NewServer(httpapi.Config{})
	if err != nil {
		b.Fatal(err)
	}
	f := newHandFuture()
	f.finish(success(&shard.Command{ID: someOrder, Order: order.Confirm{}}))
	(&api{submit: func(*shard.Command) future { return f }, now: time.Now}).register(server.Router())
	b.ReportAllocs()
	for b.Loop() {
		request, _ := http.NewRequest(http.MethodPost, "/v1/orders", strings.NewReader(goodOrder))
		request.Header["Content-Type"] = httpapi.JSONContentType
		request.Header["Idempotency-Key"] = []string{"a-key-of-usual-length"}
		server.Handler().ServeHTTP(&discard{http.Header{}}, request)
	}
}
