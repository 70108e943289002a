package chdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// parentEnv makes the test binary a program that runs ClickHouse over that directory until it is killed.
// parentListenEnv is the address that it listens on.
const (
	parentEnv       = "HOLDFAST_TEST_CLICKHOUSE_PARENT"
	parentListenEnv = parentEnv + "_LISTEN"
)

func serveUntilKilled(dir, listen string) {
	s, err := chdb.Start(context.Background(), chdb.Options{Dir: dir, Listen: listen})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.URL(""))
	_, _ = os.Stdin.Read(make([]byte, 1)) // returns when the test has ended without killing this process
	os.Exit(1)
}

// insertUntil inserts the numbers 1, 2, 3 and so on, each again until it is acknowledged. It returns the last
// acknowledged one.
func insertUntil(
	t *testing.T, address string, worker int, acknowledged *atomic.Int64, stop <-chan struct{},
) (last int) {
	for {
		insert := fmt.Sprintf("INSERT INTO acknowledged FORMAT TSV %d\t%d\n", worker, last+1)
		_, err := ask(chdbtest.Context(t), address, insert)
		if err == nil {
			acknowledged.Add(1)
			last++
		}
		select {
		case <-stop:
			return last
		default:
		}
	}
}

func TestWhatWasAcknowledgedIsThereAfterKills(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	mustAsk(t, s.URL(""), "CREATE TABLE acknowledged (worker UInt8, n Int64) "+
		"ENGINE = ReplacingMergeTree ORDER BY (worker, n) SETTINGS fsync_after_insert = 1")
	var acknowledged atomic.Int64
	const workers, kills, insertsBetweenKills = 4, 6, 100
	stop := make(chan struct{})
	var last [workers]int
	var inserters sync.WaitGroup
	for worker := range workers {
		inserters.Go(func() { last[worker] = insertUntil(t, s.URL(""), worker, &acknowledged, stop) })
	}
	awaitInserts := func() {
		t.Helper()
		want := acknowledged.Load() + insertsBetweenKills
		chdbtest.Eventually(t, "inserts go on", func() bool { return acknowledged.Load() >= want })
	}
	for range kills {
		awaitInserts()
		pid := s.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		chdbtest.Eventually(t, "another engine runs", func() bool { return s.PID() != pid })
	}
	awaitInserts()
	close(stop)
	inserters.Wait()
	for worker, n := range last {
		got := mustAsk(t, s.URL(""), fmt.Sprintf(
			"SELECT uniqExact(n) FROM acknowledged WHERE worker = %d AND n BETWEEN 1 AND %d", worker, n))
		if got != fmt.Sprint(n) {
			t.Errorf("worker %d: %s of %d acknowledged inserts are there", worker, got, n)
		}
	}
	t.Logf("%d inserts acknowledged over %d kills", acknowledged.Load(), kills)
}

func TestAQueryCannotEndTheEngine(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	pid := s.PID()
	_, err := ask(chdbtest.Context(t), s.URL(""), "SYSTEM SHUTDOWN")
	if err == nil || !strings.Contains(err.Error(), "ACCESS_DENIED") || s.PID() != pid {
		t.Errorf("SYSTEM SHUTDOWN: %v", err)
	}
	if n := mustAsk(t, s.URL(""), "SELECT 1"); n != "1" {
		t.Errorf("SELECT 1 is %s", n)
	}
}

// The engine ends soon after its parent, also when the parent was killed.
func TestTheEngineEndsWithItsParent(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	listen := "127.0.0.1:0"
	for run := 1; run <= 3; run++ {
		parent := startParent(t, dir, listen)
		address, err := url.Parse(parent.address)
		if err != nil {
			t.Fatal(err)
		}
		listen = address.Host
		mustAsk(t, parent.address, "CREATE TABLE IF NOT EXISTS orphan (n UInt64) ENGINE = MergeTree ORDER BY n")
		mustAsk(t, parent.address, "INSERT INTO orphan VALUES (1)")
		if n := mustAsk(t, parent.address, "SELECT count() FROM orphan"); n != fmt.Sprint(run) {
			t.Errorf("run %d: %s rows", run, n)
		}
		parent.kill()
	}
}

func TestAnEngineThatCannotStartAgainIsReported(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	s := start(t, chdb.Options{Dir: dir})
	if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.Failed():
		if !strings.Contains(err.Error(), "data directory") {
			t.Errorf("reported: %v", err)
		}
	case <-chdbtest.Context(t).Done():
		t.Fatal("nothing was reported")
	}
	if _, err := ask(chdbtest.Context(t), s.URL(""), "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a client gets %v", err)
	}
	s.Close()
}

func TestCloseLetsAQueryEnd(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	ended := make(chan error)
	go func() {
		text, err := ask(chdbtest.Context(t), s.URL(""),
			"SELECT sum(sleepEachRow(0.01)) FROM numbers(100) SETTINGS max_block_size = 1")
		if err == nil && text != "0" {
			err = fmt.Errorf("the answer is %q", text)
		}
		ended <- err
	}()
	chdbtest.Eventually(t, "the query runs", func() bool {
		return mustAsk(t, s.URL(""), "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sleep%'") == "1"
	})
	s.Close()
	s.Close() // a second call does nothing
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// parentProcess is a program that runs ClickHouse.
type parentProcess struct {
	cmd     *exec.Cmd
	address string
}

func (p *parentProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func startParent(t *testing.T, dir, listen string) *parentProcess {
	t.Helper()
	p := &parentProcess{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), parentEnv+"="+dir, parentListenEnv+"="+listen)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if p.address = strings.TrimSpace(line); strings.Contains(p.address, " ") {
		t.Fatal(p.address)
	}
	return p
}
