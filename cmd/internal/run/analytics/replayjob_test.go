package analytics

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
	"github.com/holdfast/holdfast/pkg/service"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

const unitsYAML = `name: units
description: Units sold.
source: sales
keys: {sku: sku}
measures: {units: sum(quantity)}
`

// jobSite is a platform without a projector: what becomes of a replay, the test decides.
type jobSite struct {
	t          *testing.T
	log        *logtest.Log
	clickHouse string
	file       string
	service    *replay.Service
}

func newJobSite(t *testing.T) *jobSite {
	t.Helper()
	s := &jobSite{
		t: t, log: logtest.New(t, eventlog.Layout{PartitionCount: 2, ShardCount: 1}), clickHouse: chdbtest.Database(t),
		file: filepath.Join(t.TempDir(), "units.yaml"),
	}
	s.define(unitsYAML)
	conn, err := clickhouse.Open(s.clickHouse)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Migrate(chdbtest.Context(t), m); err != nil {
		t.Fatal(err)
	}
	decisions := catalog.New(s.log.Client, nil)
	s.start(decisions.Run)
	s.service = replay.NewService(s.log.Client, s.log.Layout, conn, decisions)
	return s
}

func (s *jobSite) define(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start runs something until the test ends.
func (s *jobSite) start(work func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
}

func (s *jobSite) settings() run.Service {
	return run.Service{
		Log: s.log.Config, Layout: s.log.Layout, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(),
	}
}

// job runs the job with arguments.
func (s *jobSite) job(ctx context.Context, args ...string) error {
	j := &replayJob{}
	p := run.Program{
		Name: "replay", Flags: j.register, Arguments: j.arguments,
		Run: func(ctx context.Context, _ run.Service) error {
			j.cfg.Service, j.cfg.ClickHouse = s.settings(), s.clickHouse
			return j.run(ctx)
		},
	}
	return p.Start(ctx, slices.Concat(args, []string{"--kafka", strings.Join(s.log.Config.Seeds, ",")}))
}

// begin starts the job, and returns its end once there is its replay.
func (s *jobSite) begin(ctx context.Context, args ...string) (*catalog.Replay, <-chan error) {
	s.t.Helper()
	known := len(s.service.Replays(""))
	ended := make(chan error, 1)
	go func() { ended <- s.job(ctx, args...) }()
	for {
		decided := s.service.Decided()
		if all := s.service.Replays(""); len(all) > known {
			return all[len(all)-1], ended
		}
		select {
		case <-decided:
		case err := <-ended:
			s.t.Fatalf("the job has ended without a replay: %v", err)
		}
	}
}

func (s *jobSite) decide(d catalog.Decision) {
	s.t.Helper()
	d.By = catalog.Principal{Name: "alice"}
	if _, err := s.service.Decide(chdbtest.Context(s.t), d); err != nil {
		s.t.Fatal(err)
	}
}

func status(err error) int {
	if e, ok := errors.AsType[*service.ExitError](err); ok {
		return e.Status
	}
	if err != nil {
		return 1
	}
	return 0
}

// The exit status says what has become of the replay.
func TestTheStatusOfAJobIsTheEndOfItsReplay(t *testing.T) {
	s := newJobSite(t)
	verified := func(green bool) catalog.Decision {
		v := &catalog.Verified{Green: green}
		if !green {
			v.Problem = "2 of 20 keys differ"
		}
		return catalog.Decision{Type: catalog.ReplayVerified, Verified: v}
	}
	filled := catalog.Decision{Type: catalog.ReplayFilled, Filled: &catalog.Filled{}}
	promoted := catalog.Decision{Type: catalog.Promoted}
	cancelled := catalog.Decision{Type: catalog.ReplayCancelled}
	for _, test := range []struct {
		name      string
		promote   bool
		decisions []catalog.Decision
		status    int
		says      string
	}{
		{"staged", false, []catalog.Decision{filled}, 0, ""},
		{"live", true, []catalog.Decision{filled, verified(true), promoted}, 0, ""},
		{"cancelled", false, []catalog.Decision{cancelled}, statusEnded, "is cancelled: another --key"},
		{"wrong", true, []catalog.Decision{filled, verified(false)}, statusFailed, "2 of 20 keys differ"},
		{"paused", false, []catalog.Decision{{Type: catalog.ReplayPaused}}, statusEnded, "resume goes on with it"},
	} {
		args := []string{s.file, "--key", test.name}
		if test.promote {
			args = append(args, "--promote")
		}
		r, ended := s.begin(chdbtest.Context(t), args...)
		for _, d := range test.decisions {
			d.ReplayID = r.ID
			s.decide(d)
		}
		err := <-ended
		if status(err) != test.status || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: status %d, %v", test.name, status(err), err)
		}
		// Started again, it finds the same.
		again := s.job(chdbtest.Context(t), args...)
		if status(again) != test.status {
			t.Errorf("%s, again: status %d, %v", test.name, status(again), again)
		}
	}
	if all := s.service.Replays(""); len(all) != 5 {
		t.Errorf("there are %d replays, want 5", len(all))
	}
}

// A job that is stopped leaves the replay at work, and the next start waits for the same one, without a key too.
func TestAJobThatIsStartedAgainHasTheSameReplay(t *testing.T) {
	s := newJobSite(t)
	ctx, stop := context.WithCancel(chdbtest.Context(t))
	r, ended := s.begin(ctx, s.file)
	stop()
	if err := <-ended; status(err) != 1 || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("stopped: %v", err)
	}
	if s.service.Replay(r.ID).Phase != catalog.Filling {
		t.Errorf("it is %s", s.service.Replay(r.ID).Phase)
	}
	again := make(chan error, 1)
	go func() { again <- s.job(chdbtest.Context(t), s.file) }()
	s.decide(catalog.Decision{Type: catalog.ReplayFilled, ReplayID: r.ID, Filled: &catalog.Filled{}})
	if err := <-again; err != nil || len(s.service.Replays("")) != 1 {
		t.Errorf("started again: %v, %d replays", err, len(s.service.Replays("")))
	}
}

func TestAJobIsRefused(t *testing.T) {
	s := newJobSite(t)
	r, ended := s.begin(chdbtest.Context(t), s.file, "--key", "a")
	s.decide(catalog.Decision{Type: catalog.ReplayFilled, ReplayID: r.ID, Filled: &catalog.Filled{}})
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	faulty := filepath.Join(t.TempDir(), "faulty.yaml")
	if err := os.WriteFile(faulty, []byte(strings.Replace(unitsYAML, "quantity", "quantityy", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{s.file, "--key", "a", "--promote"}, statusRefused, "give another --key"},
		{[]string{faulty}, statusRefused, "there is no column quantityy"},
		{[]string{"--insight", "units", "--key", "b"}, statusRefused, "no insight units is live"},
		{[]string{s.file, "--promote", "--from", "2011-01-01"}, statusRefused, "only by force"},
		{[]string{s.file, "--events-per-second", "-1"}, statusRefused, "throttle"},
		{[]string{"--insight", "units"}, 1, "needs a --key"},
		{nil, 1, "name one file"},
		{[]string{s.file, s.file}, 1, "name one file"},
		{[]string{s.file, "--source", "disk"}, 1, "neither mirror nor kafka"},
		{[]string{s.file, "--from", "March"}, 1, "no day (2011-03-01)"},
		{[]string{s.file, "--from", "2011-03-01", "--to", "2011-03-01T00:00:00Z"}, 1, "must be after --from"},
		{[]string{s.file, "--up-to", "x"}, 1, "up-to"},
		{[]string{s.file, "--actor", " "}, 1, "--actor"},
		{[]string{s.file, "--key", "é"}, 1, "--key"},
		{[]string{"none.yaml"}, 1, "none.yaml"},
	} {
		err := s.job(chdbtest.Context(t), test.args...)
		if status(err) != test.status || err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v: status %d, %v", test.args, status(err), err)
		}
	}
	if n := len(s.service.Replays("")); n != 1 {
		t.Errorf("there are %d replays", n)
	}
	s.log.Write(eventlog.TopicOrders, 0, "order", []byte("an event"))
	logtest.DeleteRecords(t, s.log.Config, eventlog.TopicOrders)
	if err := s.job(chdbtest.Context(t), s.file, "--key", "c"); status(err) != statusRefused {
		t.Errorf("a log without its start: %v", err)
	}
}

// The projectors that run do the work.
func TestAJobMakesAnInsightLive(t *testing.T) {
	s := newJobSite(t)
	s.start(func(ctx context.Context) error {
		cfg := Config{Service: s.settings(), ClickHouse: s.clickHouse, FlushInterval: 20 * time.Millisecond}
		return Run(ctx, cfg)
	})
	if err := s.job(chdbtest.Context(t), s.file, "--promote"); err != nil {
		t.Fatal(err)
	}
	first := s.service.Insight("units").Live
	again := []string{"--insight", "units", "--key", "monthly", "--source", "kafka", "--promote"}
	if err := s.job(chdbtest.Context(t), again...); err != nil {
		t.Fatal(err)
	}
	i := s.service.Insight("units")
	if i.Live == first || i.Former.ID != first.ID || i.Live.Source != catalog.FromKafka || i.Live.By.Name != "replay job" {
		t.Errorf("live is %+v", i.Live)
	}
}
