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
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/engine"
)

const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	engine.RunIfChild()
	if dir := os.Getenv(parentEnv); dir != "" {
		serveUntilKilled(dir, os.Getenv(parentEnv+"_LISTEN"))
	}
	os.Exit(m.Run())
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, o chdb.Options) *chdb.Server {
	t.Helper()
	s, err := chdb.Start(testContext(t), o)
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

// do is ask for statements that must succeed.
func do(t *testing.T, address, sql string) string {
	t.Helper()
	text, err := ask(testContext(t), address, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

// await asks until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so after %s: %s", patience, what)
		}
	}
}

// parentEnv makes the test binary a program that runs ClickHouse over that directory until it is killed.
const parentEnv = "HOLDFAST_TEST_CLICKHOUSE_PARENT"

func serveUntilKilled(dir, listen string) {
	s, err := chdb.Start(context.Background(), chdb.Options{Dir: dir, Listen: listen})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.Addr())
	_, _ = os.Stdin.Read(make([]byte, 1)) // ends with the test that started us, if it forgets
	os.Exit(1)
}

func TestDataIsKeptBetweenRuns(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	for run := 1; run <= 3; run++ {
		s := start(t, chdb.Options{Dir: dir})
		do(t, s.Addr(), "CREATE DATABASE IF NOT EXISTS other")
		for _, table := range []string{"kept", "other.kept"} {
			do(t, s.Addr(), "CREATE TABLE IF NOT EXISTS "+table+" (n UInt64) ENGINE = MergeTree ORDER BY n")
			do(t, s.Addr(), "INSERT INTO "+table+" VALUES (1)")
			if n := do(t, s.Addr(), "SELECT count() FROM "+table); n != fmt.Sprint(run) {
				t.Errorf("run %d: %s has %s rows", run, table, n)
			}
		}
		s.Close()
		if _, err := ask(testContext(t), s.Addr(), "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestTheEngineGivesWay(t *testing.T) {
	for _, nice := range []int{0, 10} {
		s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse", Nice: nice})
		do(t, s.Addr(), "SELECT sum(number) FROM numbers_mt(10_000_000) SETTINGS max_threads = 4") // workers of the engine's own
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
				continue // it sets a priority of its own, and hardly ever runs
			}
			// The system call answers 20 - nice.
			got, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
			if errors.Is(err, syscall.ESRCH) {
				continue // ended meanwhile
			}
			if err != nil || 20-got != nice {
				t.Errorf("thread %d of an engine of nice %d has nice %d: %v", id, nice, 20-got, err)
			}
		}
	}
}

// insertUntil inserts numbers, the same again until it is acknowledged, and counts them.
func insertUntil(t *testing.T, address string, worker int, acknowledged *atomic.Int64, stop <-chan struct{}) (last int) {
	for {
		_, err := ask(testContext(t), address, fmt.Sprintf("INSERT INTO acknowledged FORMAT TSV %d\t%d\n", worker, last+1))
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
	do(t, s.Addr(), "CREATE TABLE acknowledged (worker UInt8, n Int64) ENGINE = ReplacingMergeTree ORDER BY (worker, n) SETTINGS fsync_after_insert = 1")
	var acknowledged atomic.Int64
	const workers, kills, between = 4, 6, 100
	stop := make(chan struct{})
	var last [workers]int
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() { last[worker] = insertUntil(t, s.Addr(), worker, &acknowledged, stop) })
	}
	for range kills {
		from := acknowledged.Load()
		await(t, "inserts go on", func() bool { return acknowledged.Load() >= from+between })
		pid := s.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "another engine runs", func() bool { return s.PID() != pid })
	}
	from := acknowledged.Load()
	await(t, "inserts go on", func() bool { return acknowledged.Load() >= from+between })
	close(stop)
	all.Wait()
	for worker, n := range last {
		if got := do(t, s.Addr(), fmt.Sprintf("SELECT uniqExact(n) FROM acknowledged WHERE worker = %d AND n BETWEEN 1 AND %d", worker, n)); got != fmt.Sprint(n) {
			t.Errorf("worker %d: %s of %d acknowledged inserts are there", worker, got, n)
		}
	}
	t.Logf("%d inserts acknowledged over %d kills", acknowledged.Load(), kills)
}

func TestAQueryThatEndsTheEngineEndsNothingElse(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	pid := s.PID()
	_, _ = ask(testContext(t), s.Addr(), "SYSTEM SHUTDOWN")
	await(t, "another engine runs", func() bool { return s.PID() != pid })
	if n := do(t, s.Addr(), "SELECT 1"); n != "1" {
		t.Errorf("SELECT 1 is %s", n)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	first := start(t, chdb.Options{Dir: dir})
	_, err := chdb.Start(testContext(t), chdb.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "another process uses the data directory "+dir) {
		t.Errorf("the second server over one directory: %v", err)
	}
	if n := do(t, first.Addr(), "SELECT 1"); n != "1" {
		t.Error("the first server does not answer any more")
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir() + "/clickhouse"
	for address, want := range map[string]string{
		taken.Addr().String(): "listens on " + taken.Addr().String(),
		"0.0.0.0:0":           "no password",
		":0":                  "no password",
		"8123":                "not host:port",
	} {
		_, err := chdb.Start(testContext(t), chdb.Options{Dir: dir, Listen: address})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
		if address == taken.Addr().String() && !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v is not EADDRINUSE", address, err)
		}
	}
	start(t, chdb.Options{Dir: dir}) // failed starts let go of everything
}

func TestADirectoryThatCannotBe(t *testing.T) {
	if _, err := chdb.Start(testContext(t), chdb.Options{}); err == nil || !strings.Contains(err.Error(), "no data directory") {
		t.Errorf("none: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := chdb.Start(testContext(t), chdb.Options{Dir: file}); err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("a file for a directory: %v", err)
	}
}

func TestAStartIsGivenUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if _, err := chdb.Start(ctx, chdb.Options{Dir: t.TempDir() + "/clickhouse"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Otherwise a program that does not begin with RunIfChild would start itself without end.
func TestTheEngineStartsNoEngine(t *testing.T) {
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{args[0], "embedded-clickhouse"}
	if _, err := chdb.Start(testContext(t), chdb.Options{Dir: t.TempDir() + "/clickhouse"}); err == nil || !strings.Contains(err.Error(), "RunIfChild") {
		t.Errorf("%v", err)
	}
}

// An engine outlives its parent by moments only, however that ends.
func TestTheEngineEndsWithItsParent(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	listen := "127.0.0.1:0"
	for run := 1; run <= 3; run++ {
		parent := startParent(t, dir, listen)
		listen = parent.address
		do(t, listen, "CREATE TABLE IF NOT EXISTS orphan (n UInt64) ENGINE = MergeTree ORDER BY n")
		do(t, listen, "INSERT INTO orphan VALUES (1)")
		if n := do(t, listen, "SELECT count() FROM orphan"); n != fmt.Sprint(run) {
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
	case <-time.After(patience):
		t.Fatal("nothing was reported")
	}
	if _, err := ask(testContext(t), s.Addr(), "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a client is told %v", err)
	}
	s.Close()
}

func TestCloseLetsAQueryEnd(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	ended := make(chan error)
	go func() {
		text, err := ask(testContext(t), s.Addr(), "SELECT sum(sleepEachRow(0.01)) FROM numbers(100) SETTINGS max_block_size = 1")
		if err == nil && text != "0" {
			err = fmt.Errorf("the answer is %q", text)
		}
		ended <- err
	}()
	await(t, "the query runs", func() bool {
		return do(t, s.Addr(), "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sleep%'") == "1"
	})
	s.Close()
	s.Close() // and again
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// parentProcess is a program that runs ClickHouse.
type parentProcess struct {
	cmd     *exec.Cmd
	address string
}

func (p *parentProcess) kill() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() }

func startParent(t *testing.T, dir, listen string) *parentProcess {
	t.Helper()
	p := &parentProcess{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), parentEnv+"="+dir, parentEnv+"_LISTEN="+listen)
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
