package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/engine"
)

func TestManyRowsBothWays(t *testing.T) {
	for method, count := range map[clickhouse.CompressionMethod]uint64{
		clickhouse.CompressionLZ4: 1_000_000, clickhouse.CompressionNone: 100_000, clickhouse.CompressionZSTD: 100_000,
	} {
		t.Run(method.String(), func(t *testing.T) {
			conn := connect(t, chdbtest.Server(t), withCompression(method))
			execute(t, conn, "CREATE TABLE many (n UInt64, s String, l LowCardinality(String)) "+
				"ENGINE = MergeTree ORDER BY n")
			defer execute(t, conn, "DROP TABLE many")
			batch, err := conn.PrepareBatch(chdbtest.Context(t), "INSERT INTO many")
			if err != nil {
				t.Fatal(err)
			}
			for n := range count {
				err := batch.Append(n, strconv.FormatUint(n, 10)+"\n\n", strconv.FormatUint(n%7, 10))
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			const asSent = "SELECT countIf(s = concat(toString(n), '\n\n') AND l = toString(n % 7)) FROM many"
			if n := scalar[uint64](t, conn, asSent); n != count {
				t.Errorf("%d of %d rows are as sent", n, count)
			}
			rows, err := conn.Query(chdbtest.Context(t), "SELECT n, s FROM many")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			got, sum := uint64(0), uint64(0)
			for rows.Next() {
				var n uint64
				var s string
				if err := rows.Scan(&n, &s); err != nil {
					t.Fatal(err)
				}
				if s != strconv.FormatUint(n, 10)+"\n\n" {
					t.Fatalf("row %d is %q", n, s)
				}
				got++
				sum += n
			}
			if err := rows.Err(); err != nil || got != count || sum != count*(count-1)/2 {
				t.Errorf("%d rows, sum %d, %v", got, sum, err)
			}
		})
	}
}

// Settings and parameters of one request have no effect on another that runs at the same time.
func TestQueriesAtTheSameTime(t *testing.T) {
	const workers, rounds = 2 * engine.MaxQueries, 10
	conn := connect(t, chdbtest.Server(t), func(o *clickhouse.Options) {
		o.MaxOpenConns, o.MaxIdleConns = 3*engine.MaxQueries, 3*engine.MaxQueries
	})
	execute(t, conn, "CREATE TABLE together (worker UInt32, n UInt32) ENGINE = MergeTree ORDER BY (worker, n)")
	defer execute(t, conn, "DROP TABLE together")
	group, ctx := errgroup.WithContext(chdbtest.Context(t))
	for worker := range workers {
		group.Go(func() error { return insertAndCount(ctx, conn, worker, rounds) })
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if n := scalar[uint64](t, conn, "SELECT count() FROM together"); n != workers*rounds {
		t.Errorf("%d rows", n)
	}
}

// insertAndCount inserts a worker's rows one by one. After each it checks that the worker sees its own setting and
// rows.
func insertAndCount(ctx context.Context, conn driver.Conn, worker, rounds int) error {
	ctx = clickhouse.Context(ctx,
		clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 1000 + worker}),
		clickhouse.WithParameters(clickhouse.Parameters{"worker": fmt.Sprint(worker)}))
	for n := range rounds {
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO together")
		if err != nil {
			return err
		}
		if err := errors.Join(batch.Append(uint32(worker), uint32(n)), batch.Send()); err != nil {
			return err
		}
		var blockSize, rows uint64
		err = conn.QueryRow(ctx, "SELECT toUInt64(getSetting('max_block_size')), count() FROM together "+
			"WHERE worker = {worker:UInt32}").Scan(&blockSize, &rows)
		if err != nil {
			return err
		}
		if blockSize != uint64(1000+worker) || rows != uint64(n+1) {
			return fmt.Errorf("worker %d sees setting %d and %d rows", worker, blockSize, rows)
		}
	}
	return nil
}

func TestAClientThatLeavesTheQueue(t *testing.T) {
	conn := connect(t, chdbtest.Server(t), nil)
	ctx, cancel := context.WithCancel(chdbtest.Context(t))
	defer cancel()
	const slow = "SELECT sum(sleepEachRow(0.01)) FROM numbers(1000000) " +
		"SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0"
	var clients sync.WaitGroup
	for range 2 * engine.MaxQueries {
		clients.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, chdbtest.Server(t).URL(""),
				strings.NewReader(slow))
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				t.Error("a query ended by itself")
			}
		})
	}
	chdbtest.Eventually(t, "one more query waits in the queue until its client leaves", func() bool {
		short, cancel := context.WithTimeout(chdbtest.Context(t), time.Second)
		defer cancel()
		var n uint8
		return errors.Is(conn.QueryRow(short, "SELECT 1").Scan(&n), context.DeadlineExceeded)
	})
	cancel()
	clients.Wait()
	if n := scalar[uint8](t, conn, "SELECT 1"); n != 1 {
		t.Errorf("SELECT 1 is %d", n)
	}
}

// residentBytes is the memory of a process.
func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func TestAResultIsNotHeldInMemory(t *testing.T) {
	s := chdbtest.Server(t)
	before := residentBytes(t, s.PID())
	resp, err := http.Post(s.URL("")+"?default_format=Native", "text/plain",
		strings.NewReader("SELECT number FROM numbers(250000000)"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var peak, got int64
	for {
		n, err := io.CopyN(io.Discard, resp.Body, 64<<20)
		got += n
		peak = max(peak, residentBytes(t, s.PID()))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got < 2_000_000_000 {
		t.Errorf("%d bytes came", got)
	}
	if grown := peak - before; grown > 200<<20 {
		t.Errorf("the engine grew by %d MB for a result of %d MB", grown>>20, got>>20)
	}
}

func TestAClientThatLeavesDuringAResult(t *testing.T) {
	s := chdbtest.Server(t)
	ctx, cancel := context.WithCancel(chdbtest.Context(t))
	conn := connect(t, s, nil)
	rows, err := conn.Query(ctx, "SELECT number FROM numbers(1000000000000)")
	if err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
	}
	cancel()
	const running = "SELECT count() FROM system.processes " +
		"WHERE query LIKE '%1000000000000%' AND query NOT LIKE '%processes%'"
	chdbtest.Eventually(t, "the query has ended", func() bool { return scalar[uint64](t, conn, running) == 0 })
}

func TestAClientThatLeavesDuringAnInsert(t *testing.T) {
	s := chdbtest.Server(t)
	conn := connect(t, s, nil)
	execute(t, conn, "CREATE TABLE halves (n UInt64) ENGINE = MergeTree ORDER BY n")
	defer execute(t, conn, "DROP TABLE halves")
	for range 20 {
		c, err := (&net.Dialer{}).DialContext(chdbtest.Context(t), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /?query=%s&password=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n",
			url.QueryEscape("INSERT INTO halves FORMAT RowBinary"), chdbtest.Password(t, s))
		if _, err := c.Write(make([]byte, 4_000_000)); err != nil {
			t.Fatal(err)
		}
		// Close then resets the connection, as when the client's machine has crashed.
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	const running = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO halves%'"
	chdbtest.Eventually(t, "no insert is running", func() bool { return scalar[uint64](t, conn, running) == 0 })
	if n := scalar[uint64](t, conn, "SELECT count() FROM halves"); n != 0 {
		t.Errorf("%d rows of inserts that broke off", n)
	}
	execute(t, conn, "INSERT INTO halves VALUES (1)")
}
