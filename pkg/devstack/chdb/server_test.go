package chdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

func TestMain(m *testing.M) {
	chdbtest.Main(m, func() {
		if dir := os.Getenv(parentEnv); dir != "" {
			serveUntilKilled(dir, os.Getenv(parentListenEnv))
		}
	})
}

func start(t *testing.T, o chdb.Options) *chdb.Server {
	t.Helper()
	s, err := chdb.Start(chdbtest.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ask runs a statement at an address.
func ask(ctx context.Context, address, sql string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return strings.TrimSpace(string(text)), err
}

// mustAsk runs a statement that must succeed.
func mustAsk(t *testing.T, address, sql string) string {
	t.Helper()
	text, err := ask(chdbtest.Context(t), address, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

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
	fmt.Println(s.Addr())
	_, _ = os.Stdin.Read(make([]byte, 1)) // returns when the test has ended without killing this process
	os.Exit(1)
}

func TestDataIsKeptBetweenRuns(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	for run := 1; run <= 3; run++ {
		s := start(t, chdb.Options{Dir: dir})
		mustAsk(t, s.Addr(), "CREATE DATABASE IF NOT EXISTS other")
		for _, table := range []string{"kept", "other.kept"} {
			mustAsk(t, s.Addr(), "CREATE TABLE IF NOT EXISTS "+table+" (n UInt64) ENGINE = MergeTree ORDER BY n")
			mustAsk(t, s.Addr(), "INSERT INTO "+table+" VALUES (1)")
			if n := mustAsk(t, s.Addr(), "SELECT count() FROM "+table); n != fmt.Sprint(run) {
				t.Errorf("run %d: %s has %s rows", run, table, n)
			}
		}
		s.Close()
		if _, err := ask(chdbtest.Context(t), s.Addr(), "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestTheEngineHasItsNiceValue(t *testing.T) {
	for _, nice := range []int{0, 10} {
		s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse", Nice: nice})
		// A query that makes the engine start threads of its own.
		mustAsk(t, s.Addr(), "SELECT sum(number) FROM numbers_mt(10_000_000) SETTINGS max_threads = 4")
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", s.PID()))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("no threads: %v", err)
		}
		for _, task := range tasks {
			id, err := strconv.Atoi(filepath.Base(task))
			if err != nil {
				t.Fatal(err)
			}
			if name, err := os.ReadFile(task + "/comm"); err == nil && string(name) == "MemoryWorker\n" {
				continue // it sets its own priority, and hardly ever runs
			}
			// The system call returns 20 - nice.
			got, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
			if errors.Is(err, syscall.ESRCH) {
				continue // it has ended
			}
			if err != nil || 20-got != nice {
				t.Errorf("thread %d of an engine of nice %d has nice %d: %v", id, nice, 20-got, err)
			}
		}
	}
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
	mustAsk(t, s.Addr(), "CREATE TABLE acknowledged (worker UInt8, n Int64) "+
		"ENGINE = ReplacingMergeTree ORDER BY (worker, n) SETTINGS fsync_after_insert = 1")
	var acknowledged atomic.Int64
	const workers, kills, insertsBetweenKills = 4, 6, 100
	stop := make(chan struct{})
	var last [workers]int
	var inserters sync.WaitGroup
	for worker := range workers {
		inserters.Go(func() { last[worker] = insertUntil(t, s.Addr(), worker, &acknowledged, stop) })
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
		got := mustAsk(t, s.Addr(), fmt.Sprintf(
			"SELECT uniqExact(n) FROM acknowledged WHERE worker = %d AND n BETWEEN 1 AND %d", worker, n))
		if got != fmt.Sprint(n) {
			t.Errorf("worker %d: %s of %d acknowledged inserts are there", worker, got, n)
		}
	}
	t.Logf("%d inserts acknowledged over %d kills", acknowledged.Load(), kills)
}

func TestAQueryThatEndsTheEngineEndsNothingElse(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	pid := s.PID()
	_, _ = ask(chdbtest.Context(t), s.Addr(), "SYSTEM SHUTDOWN")
	chdbtest.Eventually(t, "another engine runs", func() bool { return s.PID() != pid })
	if n := mustAsk(t, s.Addr(), "SELECT 1"); n != "1" {
		t.Errorf("SELECT 1 is %s", n)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	first := start(t, chdb.Options{Dir: dir})
	_, err := chdb.Start(chdbtest.Context(t), chdb.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "another process uses the data directory "+dir) {
		t.Errorf("the second server over one directory: %v", err)
	}
	if n := mustAsk(t, first.Addr(), "SELECT 1"); n != "1" {
		t.Error("the first server does not answer any more")
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dir := t.TempDir() + "/clickhouse"
	for address, want := range map[string]string{
		other.Addr().String(): "listens on " + other.Addr().String(),
		"0.0.0.0:0":           "no password",
		":0":                  "no password",
		"8123":                "not host:port",
	} {
		_, err := chdb.Start(chdbtest.Context(t), chdb.Options{Dir: dir, Listen: address})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
		if address == other.Addr().String() && !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v is not EADDRINUSE", address, err)
		}
	}
	start(t, chdb.Options{Dir: dir}) // the failed starts have released the directory
}

func TestADirectoryThatCannotBe(t *testing.T) {
	_, err := chdb.Start(chdbtest.Context(t), chdb.Options{})
	if err == nil || !strings.Contains(err.Error(), "no data directory") {
		t.Errorf("none: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = chdb.Start(chdbtest.Context(t), chdb.Options{Dir: file})
	if err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("a file in place of the directory: %v", err)
	}
}

func TestAStartIsGivenUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(chdbtest.Context(t))
	cancel()
	if _, err := chdb.Start(ctx, chdb.Options{Dir: t.TempDir() + "/clickhouse"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Otherwise a program whose main does not call RunIfChild would start itself again and again.
func TestTheEngineStartsNoEngine(t *testing.T) {
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{args[0], "embedded-clickhouse"}
	_, err := chdb.Start(chdbtest.Context(t), chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	if err == nil || !strings.Contains(err.Error(), "RunIfChild") {
		t.Errorf("%v", err)
	}
}

// The engine ends soon after its parent, also when the parent was killed.
func TestTheEngineEndsWithItsParent(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	listen := "127.0.0.1:0"
	for run := 1; run <= 3; run++ {
		parent := startParent(t, dir, listen)
		listen = parent.address
		mustAsk(t, listen, "CREATE TABLE IF NOT EXISTS orphan (n UInt64) ENGINE = MergeTree ORDER BY n")
		mustAsk(t, listen, "INSERT INTO orphan VALUES (1)")
		if n := mustAsk(t, listen, "SELECT count() FROM orphan"); n != fmt.Sprint(run) {
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
	if _, err := ask(chdbtest.Context(t), s.Addr(), "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a client gets %v", err)
	}
	s.Close()
}

func TestCloseLetsAQueryEnd(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	ended := make(chan error)
	go func() {
		text, err := ask(chdbtest.Context(t), s.Addr(),
			"SELECT sum(sleepEachRow(0.01)) FROM numbers(100) SETTINGS max_block_size = 1")
		if err == nil && text != "0" {
			err = fmt.Errorf("the answer is %q", text)
		}
		ended <- err
	}()
	chdbtest.Eventually(t, "the query runs", func() bool {
		return mustAsk(t, s.Addr(), "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sleep%'") == "1"
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
