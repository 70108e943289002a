package chdb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(sql))
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

func TestDataIsKeptBetweenRuns(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	for run := 1; run <= 3; run++ {
		s := start(t, chdb.Options{Dir: dir})
		mustAsk(t, s.URL(""), "CREATE DATABASE IF NOT EXISTS other")
		for _, table := range []string{"kept", "other.kept"} {
			mustAsk(t, s.URL(""), "CREATE TABLE IF NOT EXISTS "+table+" (n UInt64) ENGINE = MergeTree ORDER BY n")
			mustAsk(t, s.URL(""), "INSERT INTO "+table+" VALUES (1)")
			if n := mustAsk(t, s.URL(""), "SELECT count() FROM "+table); n != fmt.Sprint(run) {
				t.Errorf("run %d: %s has %s rows", run, table, n)
			}
		}
		s.Close()
		if _, err := ask(chdbtest.Context(t), s.URL(""), "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestTheEngineHasItsNiceValue(t *testing.T) {
	for _, nice := range []int{0, 10} {
		s := start(t, chdb.Options{Dir: t.TempDir() + "/clickhouse", Nice: nice})
		// A query that makes the engine start threads of its own.
		mustAsk(t, s.URL(""), "SELECT sum(number) FROM numbers_mt(10_000_000) SETTINGS max_threads = 4")
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

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir() + "/clickhouse"
	first := start(t, chdb.Options{Dir: dir})
	_, err := chdb.Start(chdbtest.Context(t), chdb.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "another process uses the data directory "+dir) {
		t.Errorf("the second server over one directory: %v", err)
	}
	if n := mustAsk(t, first.URL(""), "SELECT 1"); n != "1" {
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
		other.Addr().String(): other.Addr().String() + " is in use",
		"0.0.0.0:0":           "nothing is encrypted",
		":0":                  "nothing is encrypted",
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
