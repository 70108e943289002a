package queries_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/httpapi/queries"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/replay"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// replayWait is how long a test waits for what must happen.
const replayWait = 2 * time.Minute

// replaySite is the API of replays over a log, a mirror and a runner.
type replaySite struct {
	*apitest.Site
	t       *testing.T
	service *replay.Service
	conn    *clickhouse.Conn
}

// newReplaySite starts a platform. A log of n orders is there.
func newReplaySite(t *testing.T, n int) *replaySite {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), replayWait)
	t.Cleanup(cancel)
	log := logtest.New(t, eventlog.Layout{PartitionCount: 2, ShardCount: 1})
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	sell(ctx, t, log.Client, n)
	decisions := catalog.New(log.Client, nil)
	mirror, err := analytics.New(analytics.Config{
		Log: log.Config, Client: log.Client, Layout: log.Layout, Conn: conn, Alone: true,
		FlushInterval: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := replay.New(replay.Config{
		Client: log.Client, Layout: log.Layout, Conn: conn, Catalog: decisions, Mirror: mirror,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []func(context.Context) error{decisions.Run, mirror.Run, runner.Run} {
		ctx, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		}()
		t.Cleanup(func() { stop(); <-done })
	}
	s := &replaySite{t: t, service: replay.NewService(log.Client, log.Layout, conn, decisions), conn: conn}
	s.Site = apitest.NewSite(t, nil, func(r httpapi.Router) { queries.Register(r, queries.Deps{Replays: s.service}) })
	s.eventually("the platform is ready", func() bool { return s.service.Ready() == nil && mirror.Started() == nil })
	return s
}

// sell appends n orders of one unit of A1 each.
func sell(ctx context.Context, t *testing.T, client *eventlog.Client, n int) {
	t.Helper()
	var records []*eventlog.Record
	for i := range n {
		id, eventID := fmt.Sprintf("order-%d", i), uuid.New()
		value, err := (&eventv1.OrderEvent{
			OrderId: id,
			Meta: &eventv1.Meta{
				EventId: eventID[:], Version: 1, Cause: eventv1.Cause_CAUSE_COMMAND,
				OccurredAtMicros: time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC).UnixMicro(),
				RecordedAtMicros: time.Now().UnixMicro(),
			},
			Change: &eventv1.OrderEvent_OrderImported{OrderImported: &eventv1.OrderImported{
				CustomerId: "c", Currency: "GBP", Country: "France", SubtotalMicros: 1_050_000, TotalMicros: 1_050_000,
				Lines: []*eventv1.OrderLine{{Sku: "A1", Quantity: 1, UnitPriceMicros: 1_050_000}},
			}},
		}).MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &eventlog.Record{
			TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: eventlog.PartitionFor(id, 2)},
			Key:            []byte(id), Value: value,
		})
	}
	if err := client.Produce(ctx, records); err != nil {
		t.Fatal(err)
	}
}

func (s *replaySite) eventually(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(replayWait); !condition(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("never came true: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// units is a definition.
const units = "name: units\ndescription: Units sold.\nsource: sales\nkeys: {sku: sku}\n" +
	"measures:\n  units: {sql: sum(quantity), unit: count}\n"

// replayed is a replay, as far as tests look at it.
type replayed struct {
	ID       string `json:"replay_id"`
	Phase    string `json:"phase"`
	Idle     bool   `json:"idle"`
	Verified struct {
		Green bool `json:"green"`
	} `json:"verified"`
	Progress struct {
		Done, Total int64
	} `json:"progress"`
}

// order is the body of a request for a replay. members are more of them, such as `"promote": true`.
func order(definition string, members ...string) string {
	text, err := json.Marshal(definition)
	if err != nil {
		panic(err)
	}
	return "{" + strings.Join(append(members, `"definition": `+string(text)), ", ") + "}"
}

func (s *replaySite) take(r apitest.Reply, status int) (got replayed) {
	s.t.Helper()
	if r.Status != status {
		s.t.Fatalf("%d instead of %d: %s", r.Status, status, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
		s.t.Fatal(err)
	}
	return got
}

func (s *replaySite) post(path, body string, headers ...string) apitest.Reply {
	s.t.Helper()
	return s.Do(s.t, http.MethodPost, path, body, headers...)
}

func (s *replaySite) get(path string) apitest.Reply {
	s.t.Helper()
	return s.Do(s.t, http.MethodGet, path, "", "Content-Type: ")
}

func (s *replaySite) becomes(id, phase string) replayed {
	s.t.Helper()
	var r replayed
	s.eventually(id+" becomes "+phase, func() bool {
		r = s.take(s.get("/v1/replays/"+id), http.StatusOK)
		return r.Phase == phase
	})
	return r
}

func newKey() string { return "Idempotency-Key: " + uuid.NewString() }

// Given a log, when a replay is asked for that goes live by itself, then the stream of its progress tells of it until
// it is live, and the log says who asked.
func TestAReplayIsCreatedAndFollowedUntilItIsLive(t *testing.T) {
	s := newReplaySite(t, 100)
	created := s.post("/v1/replays", order(units, `"promote": true`), newKey(), "Holdfast-Actor: zoë@shop.example")
	r := s.take(created, http.StatusCreated)
	if created.Header.Get("Location") != "/v1/replays/"+r.ID {
		t.Errorf("the replay %s is at %s", r.ID, created.Header.Get("Location"))
	}
	response, err := http.Get(s.URL + "/v1/replays/" + r.ID + "/progress")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var last replayed
	event, events := "", 0
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event, events = name, events+1
		} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			last = replayed{}
			if err := json.Unmarshal([]byte(data), &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	if event != "end" || last.Phase != "live" || last.Progress.Done != last.Progress.Total || last.Progress.Total < 100 {
		t.Errorf("the last of %d events, %s, says %+v", events, event, last)
	}
	if got := s.get("/v1/replays/" + r.ID + "/log").Body; !strings.Contains(got, `"type":"promoted"`) ||
		!strings.Contains(got, `"by":{"name":"zoë@shop.example","verified":false}`) {
		t.Errorf("the log says %s", got)
	}
	if again := s.take(s.post("/v1/replays", `{"insight": "units"}`, newKey()), http.StatusCreated); again.ID == r.ID {
		t.Error("the live definition is not replayed again")
	}
}

// A request that comes twice with its key makes one replay, and another request with the key is refused.
func TestARepeatedOrderMakesOneReplay(t *testing.T) {
	s := newReplaySite(t, 1)
	key := newKey()
	first := s.take(s.post("/v1/replays", order(units), key), http.StatusCreated)
	second := s.take(s.post("/v1/replays", order(units+"# a comment\n"), key), http.StatusCreated)
	if first.ID != second.ID || len(s.service.Replays("")) != 1 {
		t.Errorf("%s and %s are two replays", first.ID, second.ID)
	}
	if p := s.post("/v1/replays", order(units, `"promote": true`), key).Problem(t); p.Code != "idempotency_key_reused" {
		t.Errorf("another order got %s", p.Code)
	}
}

// Decisions are carried out in the phases that take them, and refused in others. A repeat with its key changes nothing.
func TestDecisionsAboutAReplay(t *testing.T) {
	s := newReplaySite(t, 10)
	r := s.take(s.post("/v1/replays", order(units), newKey()), http.StatusCreated)
	path := "/v1/replays/" + r.ID
	s.becomes(r.ID, "staged")
	for _, refused := range []string{"pause", "resume", "cancel", "promote", "rollback"} {
		answer := s.post(path+"/"+refused, "", newKey(), "Content-Type: ")
		if p := answer.Problem(t); p.Code != "replay_refused" || p.Status != http.StatusConflict {
			t.Errorf("%s of a staged replay: %d %s", refused, p.Status, p.Code)
		}
		if forceable := strings.Contains(answer.Body, `"forceable":true`); forceable != (refused == "promote") {
			t.Errorf("%s: %s", refused, answer.Body)
		}
	}
	s.take(s.post(path+"/verify", `{"reason": "to be sure"}`, newKey()), http.StatusOK)
	s.eventually("it is verified", func() bool { return s.take(s.get(path), http.StatusOK).Verified.Green })
	key := newKey()
	for range 2 {
		if r = s.take(s.post(path+"/promote", `{}`, key), http.StatusOK); r.Phase != "live" || !r.Idle {
			t.Errorf("promoted, and then %+v", r)
		}
	}
	if log := s.get(path + "/log").Body; strings.Count(log, `"promoted"`) != 1 || !strings.Contains(log, "to be sure") {
		t.Errorf("the log says %s", log)
	}
	if answer := s.Do(t, http.MethodDelete, "/v1/insights/units", "", newKey()); answer.Status != http.StatusNoContent {
		t.Errorf("dropping: %d %s", answer.Status, answer.Body)
	}
	s.becomes(r.ID, "discarded")
	answer := s.Do(t, http.MethodDelete, "/v1/insights/units", "", newKey())
	if p := answer.Problem(t); p.Code != "unknown_insight" {
		t.Errorf("dropping it again: %s", answer.Body)
	}
}

// A throttled replay is paused and resumed, and one behind it waits.
func TestPausingAReplay(t *testing.T) {
	s := newReplaySite(t, 50)
	slow := s.take(s.post("/v1/replays", order(units, `"events_per_second": 1`), newKey()), http.StatusCreated)
	next := s.take(s.post("/v1/replays", order(units), newKey()), http.StatusCreated)
	if slow.Phase != "filling" || next.Phase != "queued" {
		t.Fatalf("%+v, %+v", slow, next)
	}
	if r := s.take(s.post("/v1/replays/"+slow.ID+"/pause", "", newKey()), http.StatusOK); r.Phase != "paused" {
		t.Errorf("paused: %+v", r)
	}
	if r := s.take(s.post("/v1/replays/"+slow.ID+"/resume", "", newKey()), http.StatusOK); r.Phase != "filling" {
		t.Errorf("resumed: %+v", r)
	}
	if r := s.take(s.post("/v1/replays/"+slow.ID+"/cancel", "", newKey()), http.StatusOK); r.Phase != "cancelled" {
		t.Errorf("cancelled: %+v", r)
	}
	s.becomes(next.ID, "staged")
}

// Faults of a definition have their line and field; those of the request point to their member.
func TestFaultsOfOrders(t *testing.T) {
	s := newReplaySite(t, 0)
	for body, want := range map[string]string{
		order(strings.Replace(units, "sum(quantity)", "sum(quantityy)", 1)): `"pointer":"/measures/units"`,
		order("name: 7\n"):                  `"invalid_definition"`,
		`{}`:                                `"missing_field"`,
		`{"insight": "nobody"}`:             `"unknown_insight"`,
		order(units, `"insight": "units"`):  `"pointer":"/insight"`,
		order(units, `"source": "files"`):   `"pointer":"/source"`,
		order(units, `"from": "yesterday"`): `"pointer":"/from"`,
		order(units, `"from": "2011-02-01"`, `"to": "2011-01-01"`):           `"pointer":"/to"`,
		order(units, `"up_to": "o1"`):                                        `"invalid_position"`,
		order(units, `"promote": true`, `"from": "2011-02-01"`):              `"pointer":"/promote"`,
		order(units, `"promote": true`, `"to": "2011-02-01"`):                `"pointer":"/promote"`,
		order(units, `"promote": true`, `"up_to": "o0.7"`):                   `"pointer":"/promote"`,
		order(units, `"events_per_second": -1`):                              `"pointer":"/events_per_second"`,
		order(units, `"force": "yes"`):                                       `must be true or false`,
		order(units, `"speed": 1`):                                           `"unknown_field"`,
		`{"definition": "` + strings.Repeat("x", 64<<10+1) + `"}`:            `"invalid_definition"`,
		`{"definition": "` + strings.Repeat("x", limits.MaxBodyBytes) + `"}`: `"body_too_large"`,
		`{"definition`: `"malformed_json"`,
	} {
		if r := s.post("/v1/replays", body, newKey()); r.Status < 400 || !strings.Contains(r.Body, want) {
			t.Errorf("%.100s: %d %s, and not %s", body, r.Status, r.Body, want)
		}
	}
	for header, want := range map[string]string{
		"Idempotency-Key: ":        "idempotency_key_required",
		"Idempotency-Key: \u00e4":  "invalid_idempotency_key",
		"+Idempotency-Key: second": "duplicate_header",
		"Holdfast-Actor: \u202ea":  "invalid_actor",
		"Content-Type: ":           "unsupported_media_type",
	} {
		if p := s.post("/v1/replays", order(units), header).Problem(t); p.Code != want {
			t.Errorf("%q: %s", header, p.Code)
		}
	}
	reason := fmt.Sprintf(`{"reason": %q}`, strings.Repeat("x", limits.MaxReasonLength+1))
	for _, path := range []string{"/pause", "/promote"} {
		if p := s.post("/v1/replays/"+uuid.NewString()+path, reason).Problem(t); p.Code != "invalid_reason" {
			t.Errorf("%s: %s", path, p.Code)
		}
		if p := s.post("/v1/replays/"+uuid.NewString()+path, "").Problem(t); p.Code != "unknown_replay" {
			t.Errorf("%s: %s", path, p.Code)
		}
	}
	for _, path := range []string{"", "/log", "/progress"} {
		if p := s.get("/v1/replays/" + uuid.NewString() + path).Problem(t); p.Code != "unknown_replay" {
			t.Errorf("%s: %s", path, p.Code)
		}
	}
}

// The list is newest first, in pages, by insight and phase.
func TestListsOfReplays(t *testing.T) {
	s := newReplaySite(t, 1)
	var ids []string
	for range 5 {
		ids = append(ids, s.take(s.post("/v1/replays", order(units), newKey()), http.StatusCreated).ID)
	}
	for _, id := range ids {
		s.becomes(id, "staged")
	}
	var got []string
	for cursor := ""; ; {
		var page struct {
			Items []replayed
			Next  string `json:"next_cursor"`
		}
		body := s.get("/v1/replays?insight=units&phase=staged&limit=2&cursor=" + cursor).Body
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			got = append([]string{r.ID}, got...)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Errorf("the pages have %v, and there are %v", got, ids)
	}
	if body := s.get("/v1/replays?insight=other").Body; body != `{"items":[]}`+"\n" {
		t.Errorf("replays of an insight that there is not: %s", body)
	}
	for query, want := range map[string]string{
		"phase=done": "invalid_parameter", "limit=0": "invalid_parameter", "colour=red": "invalid_parameter",
		"limit=1&limit=2": "invalid_parameter", "cursor=abcd": "invalid_cursor", "insight=%zz": "invalid_parameter",
	} {
		if p := s.get("/v1/replays?" + query).Problem(t); p.Code != want {
			t.Errorf("%s: %s", query, p.Code)
		}
	}
}

// A stream ends when the client goes, and gives its place back. More than there are places are refused.
func TestStreamsOfProgressAreBounded(t *testing.T) {
	s := newReplaySite(t, 50)
	slow := s.take(s.post("/v1/replays", order(units, `"events_per_second": 1`), newKey()), http.StatusCreated)
	ctx, hangUp := context.WithCancel(t.Context())
	open := func(ctx context.Context) int {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/replays/"+slow.ID+"/progress", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response.StatusCode
	}
	for range queries.MaxProgressStreams {
		if status := open(ctx); status != http.StatusOK {
			t.Fatalf("a stream got %d", status)
		}
	}
	if status := open(t.Context()); status != http.StatusTooManyRequests {
		t.Errorf("one stream too many got %d", status)
	}
	hangUp()
	s.eventually("there are places again", func() bool { return open(t.Context()) == http.StatusOK })
}
