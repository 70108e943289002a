package queries_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/replay"
)

// planned is a plan, as far as tests look at it.
type planned struct {
	Items []struct {
		File, Insight, Change string
		Pending               struct {
			Phase string
		}
		Estimate struct {
			Offsets, Bytes int64
			SourceRows     int64 `json:"source_rows"`
			Seconds        float64
			Basis          string
			ReplayID       string `json:"replay_id"`
		}
	}
	WithoutFile []string `json:"without_file"`
}

func (s *replaySite) plan(definitions ...string) (p planned) {
	s.t.Helper()
	r := s.post("/v1/insights/plan", planRequest(definitions...))
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil || r.Status != http.StatusOK {
		s.t.Fatalf("%d %s: %v", r.Status, r.Body, err)
	}
	return p
}

func planRequest(definitions ...string) string {
	var files []map[string]string
	for i, text := range definitions {
		files = append(files, map[string]string{"file": fmt.Sprintf("%d.yaml", i), "definition": text})
	}
	body, err := json.Marshal(map[string]any{"definitions": files})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// Given an insight that is live, a plan says of each definition what is to do, and how long it takes.
func TestPlans(t *testing.T) {
	s := newReplaySite(t, 200)
	var first planned
	s.eventually("the mirror has rows", func() bool {
		first = s.plan(units)
		return first.Items[0].Estimate.Basis != "nothing"
	})
	if i := first.Items[0]; i.Change != "new" || i.Estimate.Basis != "sample" || i.Estimate.Offsets < 200 ||
		i.Estimate.Bytes == 0 || i.Estimate.Seconds <= 0 || i.File != "0.yaml" || i.Insight != "units" {
		t.Errorf("the first plan is %+v", i)
	}
	r := s.take(s.post("/v1/replays", order(units, `"promote": true`), newKey()), http.StatusCreated)
	s.becomes(r.ID, "live")
	more := units + "  orders: {sql: uniqExact(order_id), unit: count}\n"
	additive := s.plan(more).Items[0]
	if additive.Change != "additive" || additive.Estimate.Basis != "replay" || additive.Estimate.ReplayID != r.ID ||
		additive.Estimate.Bytes == 0 || additive.Estimate.SourceRows < 200 {
		t.Errorf("with a measure more: %+v", additive)
	}
	other := strings.Replace(units, "name: units", "name: other", 1)
	p := s.plan(other)
	if p.Items[0].Change != "new" || fmt.Sprint(p.WithoutFile) != "[units]" {
		t.Errorf("another insight: %+v", p)
	}
	staged := s.take(s.post("/v1/replays", order(more), newKey()), http.StatusCreated)
	s.becomes(staged.ID, "staged")
	if p := s.plan(units, strings.Replace(more, "units", "more", 1)); p.Items[0].Change != "unchanged" ||
		p.Items[0].Estimate.Basis != "" || p.Items[1].Change != "new" {
		t.Errorf("two definitions: %+v", p)
	}
	if p := s.plan(more).Items[0]; p.Pending.Phase != "staged" {
		t.Errorf("a version that is staged: %+v", p)
	}
	// The tables of samples are gone.
	if n := len(s.tables("sample")); n != 0 {
		t.Errorf("%d tables of samples are left", n)
	}
}

// A sample that is not computed in time makes no plan fail: what a replay would take is not known then.
func TestEstimatesWithoutTimeForASample(t *testing.T) {
	s := newReplaySite(t, 20)
	s.eventually("the mirror has rows", func() bool { return s.plan(units).Items[0].Estimate.Basis == "sample" })
	d, err := insight.Parse("units.yaml", []byte(units))
	if err != nil {
		t.Fatal(err)
	}
	end, err := s.service.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.service.Estimate(t.Context(), d, end, time.Now())
	if err != nil || e.Basis != replay.Unknown || e.Duration != 0 || e.Bytes != 0 || e.Offsets < 20 || e.SourceRows < 20 {
		t.Errorf("%+v, %v", e, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.service.Estimate(cancelled, d, end, time.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

// Faults of all definitions are told at once.
func TestFaultsOfPlans(t *testing.T) {
	s := newReplaySite(t, 0)
	broken := strings.Replace(units, "sum(quantity)", "sum(quantityy)", 1)
	r := s.post("/v1/insights/plan", planRequest(broken, units, "name: 7\n", units))
	for _, want := range []string{
		`"code":"invalid_definition"`, `"pointer":"/definitions/0/measures/units"`, `"line":6`,
		`"pointer":"/definitions/2/`,
		`"pointer":"/definitions/3/name","detail":"is that of /definitions/1 too"`,
	} {
		if !strings.Contains(r.Body, want) {
			t.Errorf("%s is missing: %s", want, r.Body)
		}
	}
	many := make([]string, 101)
	for body, want := range map[string]string{
		`{}`: "missing_field", planRequest(many...): "invalid_replay", `{"definitions": [{"text": ""}]}`: "unknown_field",
		`{"definitions": [{"file": "a.yaml"}]}`: "missing_field",
	} {
		if p := s.post("/v1/insights/plan", body).Problem(t); p.Code != want {
			t.Errorf("%.60s: %s", body, p.Code)
		}
	}
	// Where there is nothing, there is nothing to estimate.
	if p := s.plan(units).Items[0]; p.Estimate.Basis != "nothing" {
		t.Errorf("an empty log: %+v", p)
	}
}

// tables are the names of tables that have a word in them.
func (s *replaySite) tables(word string) (names []string) {
	s.t.Helper()
	err := s.conn.Each(s.t.Context(), "SELECT name FROM system.tables WHERE database = currentDatabase() "+
		"AND position(name, {word:String}) > 0", nil, clickhouse.Parameters{"word": word}, func(rows clickhouse.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}
