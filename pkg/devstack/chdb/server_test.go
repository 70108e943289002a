package chdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/holdfast/holdfast/pkg/devstack/chdb"
)

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
	for run := range uint64(3) {
		s := start(t, chdb.Options{Dir: dir})
		conn := connect(t, s, nil)
		do(t, conn, "CREATE DATABASE IF NOT EXISTS other")
		for _, table := range []string{"kept", "other.kept"} {
			do(t, conn, "CREATE TABLE IF NOT EXISTS "+table+" (n UInt64) ENGINE = MergeTree ORDER BY n")
			do(t, conn, "INSERT INTO "+table+" VALUES (1)")
			if n := one[uint64](t, conn, "SELECT count() FROM "+table); n != run+1 {
				t.Errorf("run %d: %s has %d rows", run, table, n)
			}
		}
		s.Close()
		if err := conn.Ping(testContext(t)); err == nil {
			t.Error("it answers after Close")
		}
	}
}

// insertUntil inserts numbers, the same again until it is acknowledged, and counts them.
func insertUntil(t *testing.T, conn driver.Conn, worker int, acknowledged *atomic.Int64, stop <-chan struct{}) (last int64) {
	for n := int64(1); ; n++ {
		for {
			batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO acknowledged")
			if err == nil {
				err = errors.Join(batch.Append(uint8(worker), n), batch.Send())
			}
			if err == nil {
				acknowledged.Add(1)
				break
			}
			select {
			case <-stop:
				return n - 1
			default:
			}
		}
		select {
		case <-stop:
			return n
		default:
		}
	}
}

func TestWhatWasAcknowledgedIsThereAfterKills(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	conn := connect(t, s, nil)
	do(t, conn, "CREATE TABLE acknowledged (worker UInt8, n Int64) ENGINE = ReplacingMergeTree ORDER BY (worker, n) SETTINGS fsync_after_insert = 1")
	var acknowledged atomic.Int64
	const workers, kills, between = 4, 6, 40
	stop := make(chan struct{})
	var last [workers]int64
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() { last[worker] = insertUntil(t, conn, worker, &acknowledged, stop) })
	}
	for range kills {
		from := acknowledged.Load()
		await(t, "inserts go on", func() bool { return acknowledged.Load() >= from+between })
		pid := s.ChildPID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "another engine runs", func() bool { return s.ChildPID() != pid })
	}
	from := acknowledged.Load()
	await(t, "inserts go on", func() bool { return acknowledged.Load() >= from+between })
	close(stop)
	all.Wait()
	for worker, n := range last {
		if got := one[uint64](t, conn, fmt.Sprintf("SELECT uniqExact(n) FROM acknowledged WHERE worker = %d AND n BETWEEN 1 AND %d", worker, n)); got != uint64(n) {
			t.Errorf("worker %d: %d of %d acknowledged inserts are there", worker, got, n)
		}
	}
	t.Logf("%d inserts acknowledged over %d kills", acknowledged.Load(), kills)
}

func TestAQueryThatEndsTheEngineEndsNothingElse(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	conn := connect(t, s, nil)
	pid := s.ChildPID()
	_ = conn.Exec(testContext(t), "SYSTEM SHUTDOWN")
	await(t, "another engine runs", func() bool { return s.ChildPID() != pid })
	if n := one[uint8](t, conn, "SELECT 1"); n != 1 {
		t.Errorf("SELECT 1 is %d", n)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	first := start(t, chdb.Options{Dir: dir})
	_, err := chdb.Start(testContext(t), chdb.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "another process uses the data directory "+dir) {
		t.Errorf("the second server over one directory: %v", err)
	}
	if n := one[uint8](t, connect(t, first, nil), "SELECT 1"); n != 1 {
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

// An engine outlives its parent by moments only, however that ends.
func TestTheEngineEndsWithItsParent(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	listen := "127.0.0.1:0"
	for run := range uint64(3) {
		parent := startParent(t, dir, listen)
		listen = parent.address
		conn := connect(t, parent, nil)
		do(t, conn, "CREATE TABLE IF NOT EXISTS orphan (n UInt64) ENGINE = MergeTree ORDER BY n")
		do(t, conn, "INSERT INTO orphan VALUES (1)")
		if n := one[uint64](t, conn, "SELECT count() FROM orphan"); n != run+1 {
			t.Errorf("run %d: %d rows", run, n)
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
	if err := syscall.Kill(s.ChildPID(), syscall.SIGKILL); err != nil {
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
	if _, err := http.Get("http://" + s.Addr() + "/ping"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a client is told %v", err)
	}
	s.Close()
}

func TestCloseLetsAQueryEnd(t *testing.T) {
	s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse"})
	ended := make(chan error)
	running := make(chan struct{})
	go func() {
		resp, err := http.Post("http://"+s.Addr()+"/?max_block_size=1", "text/plain", strings.NewReader("SELECT sum(sleepEachRow(0.01)) FROM numbers(100)"))
		if err == nil {
			defer resp.Body.Close()
			var text string
			text, err = bufio.NewReader(resp.Body).ReadString('\n')
			if text != "0\n" {
				err = fmt.Errorf("the answer is %q, %w", text, err)
			}
		}
		ended <- err
	}()
	conn := connect(t, s, nil)
	go func() {
		await(t, "the query runs", func() bool {
			return one[uint64](t, conn, "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sleep%'") == 1
		})
		close(running)
	}()
	<-running
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

// DSN is the same as a server's.
func (p *parentProcess) DSN() string { return "http://" + p.address + "/default" }

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
