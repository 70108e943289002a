package replay_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
)

// projectorVariable is the environment variable that makes this test binary a projector. Its value is a projectorOf as
// JSON.
const projectorVariable = "HOLDFAST_TEST_PROJECTOR"

// projectorOf is what a projector in a process of its own needs to know.
type projectorOf struct {
	Log    eventlog.Config
	Layout eventlog.Layout
	DSN    string
	// SweepAtOnce makes it drop at once what nobody needs.
	SweepAtOnce bool
}

// runAsProjector runs a mirror with a runner, and does not return, in a process that startProjector has started.
func runAsProjector() {
	text := os.Getenv(projectorVariable)
	if text == "" {
		return
	}
	if err := project(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func project(text string) error {
	var of projectorOf
	if err := json.Unmarshal([]byte(text), &of); err != nil {
		return err
	}
	client, err := eventlog.Open(of.Log)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(of.DSN)
	if err != nil {
		return err
	}
	m, err := analytics.New(analytics.Config{
		Log: of.Log, Client: client, Layout: of.Layout, Conn: conn, Alone: true, FlushInterval: 5 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	decisions := catalog.New(client, nil)
	runner, err := replay.New(replay.Config{
		Client: client, Layout: of.Layout, Conn: conn, Catalog: decisions, Mirror: m,
	})
	if err != nil {
		return err
	}
	if of.SweepAtOnce {
		runner.SweepAtOnce()
	}
	fmt.Println("running")
	parts, ctx := errgroup.WithContext(context.Background())
	for _, run := range []func(context.Context) error{m.Run, decisions.Run, runner.Run} {
		parts.Go(func() error { return run(ctx) })
	}
	return parts.Wait()
}

// startProjector starts a projector in a process of its own, and returns once it runs.
func (p *platform) startProjector() *exec.Cmd {
	p.t.Helper()
	text, err := json.Marshal(projectorOf{Log: p.log, Layout: p.layout, DSN: p.dsn, SweepAtOnce: p.sweepAtOnce})
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.ctx, os.Args[0])
	cmd.Env = append(os.Environ(), projectorVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "running\n" {
		p.t.Fatalf("the projector says %q, %v", line, err)
	}
	return cmd
}

// mirrored fills the mirror, so that replays can be created, and stops.
func (p *platform) mirrored() {
	p.t.Helper()
	stop := p.run()
	defer stop()
	var tps []eventlog.TopicPartition
	for shard := range p.layout.ShardCount {
		tps = append(tps, p.layout.Partitions(shard)...)
	}
	end, err := p.client.StableOffsets(p.ctx, tps)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := analytics.NewReports(p.conn).Await(p.ctx, eventlog.PositionOf(end)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) done(id string) int64 {
	p.t.Helper()
	status, err := p.service.Status(p.ctx, p.replay(id))
	if err != nil {
		p.t.Fatal(err)
	}
	return status.Done
}

// killed kills a projector at a random moment within the time.
func (p *platform) killed(dice *rand.Rand, within time.Duration) {
	p.t.Helper()
	projector := p.startProjector()
	<-time.After(time.Duration(dice.Int64N(int64(within))))
	if err := projector.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = projector.Wait()
}

// A projector is killed at random moments of replays, from the mirror and from Kafka, while the shop goes on. No replay
// begins again from the start, and the totals are exact.
func TestKilledProjectorsResumeReplays(t *testing.T) {
	for _, source := range []catalog.Source{catalog.FromMirror, catalog.FromKafka} {
		t.Run(string(source), func(t *testing.T) {
			p := newPlatform(t)
			p.sell(4000)
			p.mirrored()
			r := p.create(func(o *replay.Request) { o.Source, o.EventsPerSecond, o.Promote = source, 300, true })
			dice := rand.New(rand.NewPCG(1, 2))
			before, resumed, within := int64(0), 0, 1500*time.Millisecond
			for kills := 0; kills < 20 || resumed < 2 && p.replay(r.ID).Phase == catalog.Filling; kills++ {
				p.sell(10)
				p.killed(dice, within)
				done := p.done(r.ID)
				if done == before { // the machine is slow
					within += 100 * time.Millisecond
				}
				if done < before {
					t.Errorf("the replay is at %d after it was at %d", done, before)
				}
				if before > 0 && done > before && p.replay(r.ID).Phase == catalog.Filling {
					resumed++
				}
				before = done
			}
			t.Logf("it was resumed %d times, and is at %d", resumed, before)
			if resumed < 2 {
				t.Errorf("it was resumed %d times", resumed)
			}
			p.run()
			p.becomes(r.ID, catalog.Live)
			p.says(r.ID)
			if v := p.verify(r.ID); !v.Green || v.Sampled != 7 {
				t.Errorf("it was verified: %+v", v)
			}
		})
	}
}

// A projector is killed again and again until a replay is live: while it fills, verifies and promotes. Readers of the
// live version have an answer at each moment.
func TestKilledProjectorsPromoteOnce(t *testing.T) {
	p := newPlatform(t)
	p.sell(1000)
	stop := p.run()
	live := p.create(promoting)
	p.becomes(live.ID, catalog.Live)
	p.says(live.ID)
	stop()
	dice := rand.New(rand.NewPCG(3, 4))
	next := p.create(func(o *replay.Request) {
		o.Text, o.Promote = []byte(strings.Replace(units, "sum(quantity)", "sum(quantity) * 2", 1)), true
	})
	for i := 0; p.replay(next.ID).Phase != catalog.Live; i++ {
		p.killed(dice, time.Duration(500+100*i)*time.Millisecond)
		for _, r := range p.service.Replays("units") {
			if r.Phase == catalog.Live {
				if answering, err := p.service.Answering(p.ctx, r); err != nil || answering == nil {
					t.Fatalf("nothing answers for %s: %v", r.ID, err)
				}
			}
		}
	}
	promotions := 0
	for _, d := range p.replay(next.ID).Log {
		if d.Type == catalog.Promoted {
			promotions++
		}
	}
	if v := p.replay(next.ID).Verified; promotions != 1 || v.Different != 7 || v.Against != live.ID {
		t.Errorf("it was promoted %d times; verified %+v", promotions, v)
	}
	p.run()
	p.says(next.ID)
	if _, err := p.service.Decide(p.ctx, catalog.Decision{Type: catalog.RolledBack, ReplayID: next.ID}); err != nil {
		t.Fatal(err)
	}
	p.becomes(live.ID, catalog.Live)
	p.says(live.ID) // the former version was fed
}

// Projector and engine are killed at each step of a promotion. What a process has done of it is in the log and in
// ClickHouse, so each state is made with these alone: the process is gone when the decision is written that it would
// have written last. Readers always have one of both versions, whole; the promotion happens once.
func TestKillsAtEachStepOfAPromotion(t *testing.T) {
	proxy := chdbtest.NewProxy(t)
	engine := chdbtest.Server(t)
	database, err := url.Parse(chdbtest.DatabaseOn(engine))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlatformAt(t, proxy.DSN(strings.TrimPrefix(database.Path, "/")))
	p.sweepAtOnce = true
	p.sell(300)
	first, second := p.promoteUndisturbed("* 1"), p.promoteUndisturbed("* 2")
	killEngine := func() {
		t.Helper()
		pid := engine.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.eventually("another engine runs", func() bool { return engine.PID() != pid && p.conn.Ping(p.ctx) == nil })
	}
	kill := func(projector *exec.Cmd) {
		t.Helper()
		if err := projector.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = projector.Wait()
	}

	// The verification is at its last query, and its result is written when the projector is gone.
	proxy.Fail(chdbtest.Fault{Queries: "_verify_", Code: 241, Message: "(MEMORY_LIMIT_EXCEEDED)"})
	projector := p.startProjector()
	third := p.create(func(o *replay.Request) { o.Text, o.Promote = unitsTimes("* 3"), true })
	p.eventually("it is verified", func() bool { return proxy.Faults() > 0 })
	kill(projector)
	killEngine()
	proxy.Heal()
	decide := func(d catalog.Decision) {
		t.Helper()
		if _, err := p.service.Decide(p.ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	decide(catalog.Decision{Type: catalog.ReplayVerified, ReplayID: third.ID,
		Verified: &catalog.Verified{Green: true, Against: second.ID}})
	p.answers(second, 2)

	// Before the promotion is written: the next projector writes it. Both are killed again when it is written, and
	// before anybody acts on it: the views are still those of the version before, and its table is whole.
	projector = p.startProjector()
	p.becomes(third.ID, catalog.Live)
	kill(projector)
	killEngine()
	p.answers(third, 3)
	fourth := p.create(func(o *replay.Request) { o.Text = unitsTimes("* 4") })
	projector = p.startProjector()
	p.becomes(fourth.ID, catalog.Staged)
	kill(projector)
	decide(catalog.Decision{Type: catalog.Promoted, ReplayID: fourth.ID, Forced: true})
	killEngine()
	p.answers(fourth, 4)
	p.answers(third, 3)

	// Tables of versions that are neither live nor former are swept: before the progress of one is deleted, and between
	// that and the table.
	for _, query := range []string{"ALTER TABLE insight_progress DELETE", "DROP TABLE IF EXISTS insight__"} {
		before := proxy.Faults()
		proxy.Fail(chdbtest.Fault{Queries: query, Code: 243, Message: "(NOT_ENOUGH_SPACE)"})
		projector = p.startProjector()
		p.eventually(query, func() bool { return proxy.Faults() > before })
		kill(projector)
		killEngine()
		proxy.Heal()
		p.answers(fourth, 4)
	}
	p.startProjector()
	state := ""
	defer func() { t.Log("tables, the view and progress:", state) }()
	p.eventually("all is swept, and the view is that of the live version", func() bool {
		tables, err := p.count("SELECT count() FROM system.tables " +
			"WHERE database = currentDatabase() AND startsWith(name, 'insight__')")
		viewed, viewErr := p.count("SELECT toUInt64(sum(units)) FROM insight_units")
		progress, progressErr := p.count("SELECT uniqExact(replay_id) FROM insight_progress")
		state = fmt.Sprint(tables, err, viewed, viewErr, progress, progressErr)
		return err == nil && viewErr == nil && progressErr == nil && tables == 2 && progress == 2 &&
			viewed == 4*uint64(p.unitsSold())
	})
	promotions := map[string]int{}
	for _, r := range []*catalog.Replay{first, second, third, fourth} {
		for _, d := range p.replay(r.ID).Log {
			if d.Type == catalog.Promoted && d.ReplayID == r.ID {
				promotions[r.ID]++
			}
		}
		if promotions[r.ID] != 1 {
			t.Errorf("%s was promoted %d times", r.ID, promotions[r.ID])
		}
	}
	p.answers(fourth, 4)
	p.answers(third, 3)
}

// unitsTimes is another version of the insight units.
func unitsTimes(factor string) []byte {
	return []byte(strings.Replace(units, "sum(quantity)", "sum(quantity) "+factor, 1))
}

// promoteUndisturbed makes a version live, with a projector of its own.
func (p *platform) promoteUndisturbed(factor string) *catalog.Replay {
	p.t.Helper()
	stop := p.run()
	defer stop()
	r := p.create(func(o *replay.Request) { o.Text, o.Promote = unitsTimes(factor), true })
	p.becomes(r.ID, catalog.Live)
	return r
}

// unitsSold are the units of all orders.
func (p *platform) unitsSold() (n int) {
	for i := range p.written {
		n += i%5 + 1
	}
	return n
}

// answers checks that the table of a version has everything.
func (p *platform) answers(r *catalog.Replay, factor int) {
	p.t.Helper()
	answering, err := p.service.Answering(p.ctx, p.replay(r.ID))
	if err != nil || answering == nil {
		p.t.Fatalf("nothing answers for %s: %v", r.ID, err)
	}
	answer, err := answering.Ask(p.ctx, p.conn, insight.Question{By: []string{}, Limit: 1}, nil, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if got, want := answer.Rows[0]["units"], fmt.Sprint(factor*p.unitsSold()); got != want {
		p.t.Errorf("%s says %s units, want %s", r.ID, got, want)
	}
}

func (p *platform) count(query string) (n uint64, err error) {
	err = p.conn.Each(p.ctx, query, nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&n) })
	return n, err
}

// The engine is killed at moments of a replay. It is made good without anybody's help.
func TestAKilledEngineLosesNothingOfAReplay(t *testing.T) {
	engine, err := chdb.Start(context.Background(), chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	p := newPlatformAt(t, chdbtest.DatabaseOn(engine))
	p.sell(3000)
	p.run()
	r := p.create(func(o *replay.Request) { o.EventsPerSecond, o.Promote = 1000, true })
	dice := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		p.sell(10)
		<-time.After(time.Duration(dice.Int64N(int64(500 * time.Millisecond))))
		pid := engine.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.eventually("another engine runs", func() bool { return engine.PID() != pid && p.conn.Ping(p.ctx) == nil })
	}
	p.becomes(r.ID, catalog.Live)
	p.says(r.ID)
}

// Two projectors fill the same partitions at the same time, one replay overlaps the live work on another, and the shop
// goes on.
func TestTwoProjectorsOfTheSamePartitionsDoNoHarm(t *testing.T) {
	p := newPlatform(t)
	p.sell(5000)
	p.run()
	p.run()
	live := p.create(promoting)
	p.becomes(live.ID, catalog.Live)
	again := p.create(func(o *replay.Request) { o.EventsPerSecond = 2500 })
	for p.replay(again.ID).Phase != catalog.Staged {
		p.sell(10)
		<-time.After(50 * time.Millisecond)
		if p.ctx.Err() != nil {
			t.Fatal("it is not staged")
		}
	}
	p.says(live.ID)
	p.says(again.ID)
	if v := p.verify(again.ID); !v.Green || v.Different != 0 || v.Sampled != 7 {
		t.Errorf("it was verified: %+v", v)
	}
}
