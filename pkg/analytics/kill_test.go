package analytics_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// projectorVariable is the environment variable that makes this test binary a projector. Its value is a projectorOf as
// JSON.
const projectorVariable = "HOLDFAST_TEST_PROJECTOR"

// projectorOf is what a projector in a process of its own needs to know.
type projectorOf struct {
	Log    eventlog.Config
	Layout eventlog.Layout
	DSN    string
}

// runAsProjector runs a projector, and does not return, in a process that startProjector has started.
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
		Log: of.Log, Client: client, Layout: of.Layout, Conn: conn, Alone: true,
		FlushInterval: 5 * time.Millisecond, FlushRows: 200,
	})
	if err != nil {
		return err
	}
	fmt.Println("running")
	return m.Run(context.Background())
}

// startProjector starts a projector in a process of its own, and returns once it runs.
func (f *fixture) startProjector() *exec.Cmd {
	f.t.Helper()
	text, err := json.Marshal(projectorOf{Log: f.log, Layout: f.layout, DSN: f.dsn})
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.CommandContext(f.ctx, os.Args[0])
	cmd.Env = append(os.Environ(), projectorVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "running\n" {
		f.t.Fatalf("the projector says %q, %v", line, err)
	}
	return cmd
}

// moments returns a function that waits for random times. They are the same in every run.
func moments(longest time.Duration) func() <-chan time.Time {
	random := rand.New(rand.NewPCG(1, 2))
	return func() <-chan time.Time { return time.After(time.Duration(random.Int64N(int64(longest)))) }
}

func TestKilledProjectorsLoseAndDoubleNothing(t *testing.T) {
	const kills = 20
	f := newFixture(t)
	moment := moments(300 * time.Millisecond)
	for i := range kills {
		f.fill(100*i, 100*(i+1))
		projector := f.startProjector()
		<-moment()
		if err := projector.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = projector.Wait()
	}
	mirrored, err := f.ask("SELECT toInt64(count()) FROM events FINAL")
	t.Logf("after %d kills the mirror has %d of %d events, %v", kills, mirrored, f.events, err)
	f.mirror()
	f.exact()
}

func TestAKilledEngineLosesAndDoublesNothing(t *testing.T) {
	const kills = 10
	engine, err := chdb.Start(context.Background(), chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	f := newFixtureAt(t, chdbtest.DatabaseOn(engine))
	f.mirror(func(c *analytics.Config) { c.FlushRows = 200 })
	moment := moments(300 * time.Millisecond)
	for i := range kills {
		f.fill(100*i, 100*(i+1))
		<-moment()
		pid := engine.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		f.eventually("another engine runs", func() bool { return engine.PID() != pid && f.conn.Ping(f.ctx) == nil })
	}
	t.Logf("the mirror began again %v times", counter(t, f, "holdfast_mirror_restarts_total"))
	f.exact()
}

func counter(t *testing.T, f *fixture, name string) float64 {
	t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.Metric[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
