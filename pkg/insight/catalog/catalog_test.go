package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

const definition = `name: units
description: Units that were sold.
source: sales
keys:
  sku: sku
measures:
  units: {sql: sum(quantity), unit: count}
`

// decisions makes decisions about the insight units, in words such as "create a" or "promote a by force".
func decision(words string) catalog.Decision {
	fields := strings.Fields(words)
	d := catalog.Decision{ID: fmt.Sprint(rand.Uint64()), At: time.Now(), Insight: "units"}
	if len(fields) > 1 {
		d.ReplayID = fields[1]
	}
	d.Forced = strings.HasSuffix(words, "by force")
	switch fields[0] {
	case "create":
		d.Type = catalog.ReplayCreated
		d.Created = &catalog.Created{Text: definition, Fingerprint: "f", Source: catalog.FromMirror, Pinned: "o0.5"}
		if strings.Contains(words, "partly") {
			d.Created.UpTo = "o0.3"
		}
		if strings.Contains(words, "unreadable") {
			d.Created.Text = "measures: none"
		}
	case "pause":
		d.Type = catalog.ReplayPaused
	case "resume":
		d.Type = catalog.ReplayResumed
	case "cancel":
		d.Type = catalog.ReplayCancelled
	case "discard":
		d.Type = catalog.ReplayDiscarded
	case "fill":
		d.Type, d.Filled = catalog.ReplayFilled, &catalog.Filled{Events: 5}
	case "stall":
		d.Type, d.Reason = catalog.ReplayStalled, "the disk is full"
	case "continue":
		d.Type = catalog.ReplayContinued
	case "verify":
		d.Type = catalog.VerifyRequested
	case "verified": // verified b against a
		green := !strings.Contains(words, "badly")
		d.Type, d.Verified = catalog.ReplayVerified, &catalog.Verified{Green: green, Problem: "wrong"}
		if i := strings.Index(words, "against "); i >= 0 {
			d.Verified.Against = strings.Fields(words[i:])[1]
		}
	case "promote":
		d.Type = catalog.Promoted
	case "rollback":
		d.Type = catalog.RolledBack
	case "drop":
		d.Type = catalog.InsightDropped
	default:
		d.Type = catalog.Type(fields[0])
	}
	return d
}

// phases are those of all replays, such as "a live, b queued".
func phases(s *catalog.State) string {
	var all []string
	for _, r := range s.Replays() {
		text := r.ID + " " + string(r.Phase)
		if r.Stalled != "" {
			text += " stalled"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

const liveA = "create a; fill a; verify a; verified a; promote a; "

func TestDecisions(t *testing.T) {
	for _, test := range []struct {
		given, when, then string
		refused           string // part of the refusal; empty: it is allowed
	}{
		{"", "create a", "a filling", ""},
		{"create a", "create b", "a filling, b queued", ""},
		{"create a; create b", "fill a", "a staged, b filling", ""},
		{"create a; create b", "cancel a", "a cancelled, b filling", ""},
		{"create a; create b", "cancel b", "a filling, b cancelled", ""},
		{"create a; pause a", "create b", "a paused, b queued", ""},
		{"create a", "pause a", "a paused", ""},
		{"create a; pause a", "pause a", "a paused", "pausing is not possible: replay a is paused"},
		{"create a; pause a", "resume a", "a filling", ""},
		{"create a", "resume a", "a filling", "resuming is not possible"},
		{"create a; fill a", "cancel a", "a staged", "cancelling is not possible"},
		{"create a; fill a", "discard a", "a discarded", ""},
		{"create a", "create a", "a filling", "there is a replay a already"},
		{"", "pause a", "", "there is no replay a"},
		{"create a", "stall a", "a filling stalled", ""},
		{"create a; stall a", "continue a", "a filling", ""},
		{"create a; stall a", "fill a", "a staged", ""},
		{"", "create a unreadable", "a filling stalled", ""},
		{"create a", "promote a", "a filling", "promoting is not possible: replay a is filling"},
		{"create a; fill a", "promote a", "a staged", "was not verified"},
		{"create a; fill a", "promote a by force", "a live", ""},
		{"create a; fill a; verified a badly", "promote a", "a staged", "the verification of replay a failed: wrong"},
		{"create a; fill a; verified a badly", "promote a by force", "a live", ""},
		{"create a partly; fill a; verified a", "promote a", "a staged", "a part of the history"},
		{"create a partly; fill a; verified a", "promote a by force", "a live", ""},
		{"create a; fill a; verified a", "promote a", "a live", ""},
		{liveA, "promote a", "a live", ""},
		{liveA, "discard a", "a live", "replay a is live"},
		{liveA + "create b; fill b; verified b against a", "promote b", "a former, b live", ""},
		{liveA + "create b; fill b; verified b", "promote b", "a live, b staged", "another version went live"},
		{liveA + "create b; fill b; verified b against a; promote b", "rollback b", "a live, b former", ""},
		{liveA + "create b; fill b; verified b against a; promote b", "rollback", "a live, b former", ""},
		{liveA + "create b; fill b; verified b against a; promote b", "rollback a", "a former, b live",
			"replay a is not live"},
		{liveA + "create b; fill b; verified b against a; promote b; rollback", "rollback", "a former, b live", ""},
		{liveA, "rollback", "a live", "no former version"},
		{"", "rollback", "", "no insight units"},
		{liveA + "create b; fill b; verified b against a; promote b; discard a", "rollback", "a discarded, b live",
			"no former version"},
		{liveA + "create b; fill b; promote b by force; create c; fill c", "promote c by force",
			"a discarded, b former, c live", ""},
		{liveA, "drop", "a discarded", ""},
		{"", "drop", "", "no insight units"},
		{liveA + "drop", "create b", "a discarded, b filling", ""},
		{"create a", "dance a", "a filling", "the unknown type dance"},
	} {
		s := catalog.NewState()
		for words := range strings.SplitSeq(test.given, ";") {
			if words = strings.TrimSpace(words); words == "" {
				continue
			}
			var err error
			if s, err = s.Apply(decision(words)); err != nil {
				t.Fatalf("%s: %s: %v", test.given, words, err)
			}
		}
		before := phases(s)
		next, err := s.Apply(decision(test.when))
		if got := phases(next); got != test.then {
			t.Errorf("%s, then %s: %s, want %s", test.given, test.when, got, test.then)
		}
		if phases(s) != before {
			t.Errorf("%s, then %s: the state before has changed", test.given, test.when)
		}
		asWanted := test.refused == "" && err == nil ||
			test.refused != "" && err != nil && strings.Contains(err.Error(), test.refused)
		if !asWanted {
			t.Errorf("%s, then %s: %v, want %q", test.given, test.when, err, test.refused)
		}
	}
}

// Whatever is decided in whatever order: an insight has at most one live and one former version, they have these
// phases, and at most one of its replays is at work.
func TestAnyDecisionsLeaveTheCatalogWhole(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	verbs := []string{"create", "pause", "resume", "cancel", "discard", "fill", "stall", "continue", "verified", "promote",
		"rollback", "drop"}
	for range 100 {
		s := catalog.NewState()
		for range 60 {
			words := fmt.Sprintf("%s %c", verbs[dice.IntN(len(verbs))], 'a'+dice.IntN(6))
			if dice.IntN(2) == 0 {
				words += " by force"
			}
			d := decision(words)
			next, err := s.Apply(d)
			if copied := s.Clone(); err != nil && (copied.Note(d) == nil || !reflect.DeepEqual(copied, s)) {
				t.Fatalf("%s is not allowed, and changes %s to %s", words, phases(s), phases(copied))
			}
			if again, _ := next.Apply(d); err == nil && phases(again) != phases(next) {
				t.Fatalf("%s, read twice: %s, then %s", words, phases(next), phases(again))
			}
			s = next
		}
		for _, i := range s.Insights() {
			atWork := 0
			for _, r := range i.Replays {
				if r.Phase == catalog.Filling || r.Phase == catalog.Paused {
					atWork++
				}
				if (r.Phase == catalog.Live) != (i.Live == r) || (r.Phase == catalog.Former) != (i.Former == r) {
					t.Fatalf("%s is %s", r.ID, r.Phase)
				}
			}
			if atWork > 1 {
				t.Fatalf("%d replays are at work: %s", atWork, phases(s))
			}
		}
	}
}

// Where ClickHouse comes and goes, a replay stalls and goes on again and again. Its log has the last of that, and all
// that was decided besides.
func TestStallsLeaveAShortLog(t *testing.T) {
	s, before := catalog.NewState(), 0
	for _, words := range []string{"create a", "fill a", "verify a", "verified a", "promote a"} {
		var err error
		if s, err = s.Apply(decision(words)); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			for _, words := range []string{"stall a", "continue a"} {
				last := s.Replay("a")
				before = len(last.Log)
				if s, err = s.Apply(decision(words)); err != nil {
					t.Fatal(err)
				}
				if len(last.Log) != before {
					t.Fatal("the state before has changed")
				}
			}
		}
	}
	counts := map[catalog.Type]int{}
	log := s.Replay("a").Log
	for _, d := range log {
		counts[d.Type]++
	}
	if len(log) != 5+5*catalog.MaxStalls || counts[catalog.ReplayStalled] != counts[catalog.ReplayContinued] ||
		log[0].Type != catalog.ReplayCreated || log[len(log)-1].Type != catalog.ReplayContinued {
		t.Errorf("the log has %d decisions, %v", len(log), counts)
	}
}

// BenchmarkStalls is what one decision costs among those that a week leaves in which ClickHouse comes and goes: of 15
// replays one says so every five minutes.
func BenchmarkStalls(b *testing.B) {
	const replays, decisions = 15, 15 * 2 * 7 * 24 * 12
	s := catalog.NewState()
	words := func(verb string, i int) catalog.Decision { return decision(fmt.Sprintf("%s r-%d", verb, i%replays)) }
	for i := range replays {
		d := words("create", i)
		d.Insight = fmt.Sprint("units-", i)
		if err := s.Note(d); err != nil {
			b.Fatal(err)
		}
	}
	for i := range decisions {
		if err := s.Note(words([]string{"stall", "continue"}[i%2], i)); err != nil {
			b.Fatal(err)
		}
	}
	d := words("stall", 0)
	for _, way := range []struct {
		name string
		note func() error
	}{
		{"on a copy", func() error { _, err := s.Apply(d); return err }},
		{"in a batch", func() error { d.ID = fmt.Sprint(rand.Uint64()); return s.Note(d) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				if err := way.note(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// open follows the decisions of a log in one more process.
func open(t *testing.T, cfg eventlog.Config) *catalog.Catalog {
	t.Helper()
	client, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := catalog.New(client, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		client.Close()
	})
	_, changed := c.State()
	for c.Ready() != nil {
		select {
		case <-changed:
			_, changed = c.State()
		case <-logtest.Context(t).Done():
			t.Fatal(c.Ready())
		}
	}
	return c
}

// Of two processes that decide at the same time, each is told what became of its own decision, and all that follow the
// topic agree, also one that begins later.
func TestProcessesAgreeOnDecisions(t *testing.T) {
	cfg := logtest.Config(t)
	client, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: 1, ShardCount: 1}); err != nil {
		t.Fatal(err)
	}
	both := []*catalog.Catalog{open(t, cfg), open(t, cfg)}
	if _, err := both[0].Decide(logtest.Context(t), decision("create a")); err != nil {
		t.Fatal(err)
	}
	var allowed, refused int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			_, err := both[i%2].Decide(logtest.Context(t), decision("pause a"))
			mu.Lock()
			defer mu.Unlock()
			var refusal *catalog.Refusal
			switch {
			case err == nil:
				allowed++
			case errors.As(err, &refusal):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if allowed != 1 || refused != 9 {
		t.Errorf("%d were allowed and %d refused, want 1 and 9", allowed, refused)
	}
	if _, err := both[1].Decide(logtest.Context(t), decision("resume a")); err != nil {
		t.Fatal(err)
	}
	later, _ := open(t, cfg).State()
	state, _ := both[1].State()
	if phases(later) != phases(state) || phases(later) != "a filling" {
		t.Errorf("one that begins later knows %s, and one from the start %s", phases(later), phases(state))
	}
}

// A record that is no decision is passed.
func TestWhatIsNoDecisionIsPassed(t *testing.T) {
	cfg := logtest.Config(t)
	client, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := logtest.Context(t)
	if _, err := client.EnsurePlatform(ctx, eventlog.Layout{PartitionCount: 1, ShardCount: 1}); err != nil {
		t.Fatal(err)
	}
	tp := eventlog.TopicPartition{Topic: eventlog.TopicInsights}
	if err := client.Produce(ctx, []*eventlog.Record{{TopicPartition: tp, Value: []byte("no JSON")}}); err != nil {
		t.Fatal(err)
	}
	state, err := open(t, cfg).Decide(ctx, decision("create a"))
	if err != nil || phases(state) != "a filling" {
		t.Errorf("%v, %v", state, err)
	}
}

// A replay that has ended is not verified any more, however it has ended.
func TestWhatHasEndedIsNotVerified(t *testing.T) {
	for _, words := range []string{"create a, verify a, cancel a", "create a, fill a, verify a, discard a",
		"create a, fill a, verify a, drop"} {
		state := catalog.NewState()
		var before *catalog.Replay
		for word := range strings.SplitSeq(words, ", ") {
			before = state.Replay("a")
			var err error
			if state, err = state.Apply(decision(word)); err != nil {
				t.Fatalf("%s: %s: %v", words, word, err)
			}
		}
		if word := "drop"; strings.HasSuffix(words, word) && !state.IsIdle(before) {
			t.Errorf("%s: what it was before is not idle", words)
		}
		if r := state.Replay("a"); r.Verifying || !r.IsEnded() || !state.IsIdle(r) {
			t.Errorf("%s: %s, verifying: %v", words, r.Phase, r.Verifying)
		}
	}
}

// Pauses count as far as they are between two times, also one that has not ended.
func TestPausedWithin(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	r := &catalog.Replay{Log: []catalog.Decision{
		{Type: catalog.ReplayCreated, At: at(0)},
		{Type: catalog.ReplayPaused, At: at(10)}, {Type: catalog.ReplayResumed, At: at(20)},
		{Type: catalog.ReplayStalled, At: at(30)}, {Type: catalog.ReplayPaused, At: at(35)},
		{Type: catalog.ReplayContinued, At: at(40)}, {Type: catalog.ReplayResumed, At: at(50)},
		{Type: catalog.ReplayPaused, At: at(60)},
	}}
	for _, c := range []struct{ from, to, paused int }{
		{0, 10, 0}, {0, 15, 5}, {15, 18, 3}, {15, 30, 5}, {0, 60, 25}, {25, 55, 15}, {55, 75, 15}, {70, 75, 5}, {5, 5, 0},
	} {
		if paused := r.PausedWithin(at(c.from), at(c.to)); paused != time.Duration(c.paused)*time.Second {
			t.Errorf("from %d to %d it was paused for %s, not %d s", c.from, c.to, paused, c.paused)
		}
	}
}
