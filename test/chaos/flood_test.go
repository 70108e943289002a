package chaos_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi/commands"
)

const (
	// floodMemoryMiB is what the attacked process may use for its heap, and floodRequestsMiB of it for requests.
	floodMemoryMiB, floodRequestsMiB = 256, 65
	// beyondHeapMiB is what a process has besides its heap: stacks, code, memtables.
	beyondHeapMiB = 128
	// floodBytes is what each connection that never reads tries to send.
	floodBytes = 103 << 20
	// stalled is after how long without progress a sender is taken to be no longer read.
	stalled = 2 * time.Second
)

// startFlooded starts the services with little memory for the replica of order-api that is attacked.
func startFlooded(t *testing.T) *process {
	t.Helper()
	c := &cluster{log: logtest.New(t, eventlog.Layout{PartitionCount: 12, ShardCount: clusterShards})}
	c.kafka, c.prefix = strings.Join(c.log.Config.Seeds, ","), c.log.Config.TopicPrefix
	c.bin = buildPrograms(t)
	t.Setenv("GOMEMLIMIT", fmt.Sprintf("%dMiB", floodMemoryMiB))
	attacked := c.startService("order-api", "--data-dir", c.newDataDir(), "--peer-listen", "off",
		"--max-request-memory", strconv.Itoa(floodRequestsMiB))
	attacked.awaitReady(4 * backWithin)
	return attacked
}

var peakPattern = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMiB is the most memory that the process has had.
func (p *process) peakMiB() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	found := peakPattern.FindSubmatch(status)
	if found == nil {
		p.t.Fatalf("no peak in %s", status)
	}
	kib, _ := strconv.Atoi(string(found[1])) // the pattern matches digits only
	return kib >> 10
}

// checkMemory holds the process to what it was told that it may use.
func (p *process) checkMemory() {
	p.t.Helper()
	peak := p.peakMiB()
	p.t.Logf("at most %d MiB of memory", peak)
	if peak > floodMemoryMiB+beyondHeapMiB {
		p.t.Errorf("%d MiB of memory were used, and %d are allowed", peak, floodMemoryMiB+beyondHeapMiB)
	}
}

// bulkHeader begins a request to POST /v1/commands whose body has no length.
const bulkHeader = "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n" +
	"Transfer-Encoding: chunked\r\n\r\n"

// wideOrder is a line that places an order of 2,000 unknown SKUs: its answer lists them all.
func wideOrder(key string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":%q,"type":"place_order","body":{"customer_id":"c","currency":"GBP","lines":[`, key)
	for i := range 2000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"unknown-%d","quantity":1,"unit_price":"1.00"}`, i)
	}
	b.WriteString("]}}\n")
	return b.Bytes()
}

// sendAndNeverRead sends lines until nobody reads them any more, and returns the open connection.
func sendAndNeverRead(t *testing.T, p *process, name string) (open net.Conn, sent int, err error) {
	conn, err := net.Dial("tcp", p.httpAddr)
	if err != nil {
		return nil, 0, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, bulkHeader); err != nil {
		return nil, 0, err
	}
	for i := 0; sent < floodBytes; i++ {
		line := wideOrder(fmt.Sprintf("%s-%d", name, i))
		_ = conn.SetWriteDeadline(time.Now().Add(stalled))
		n, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(line), line)
		if sent += n; err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
			return conn, sent, err
		}
	}
	return conn, sent, nil
}

// TestConnectionsThatNeverReadTakeBoundedMemory: clients send lines without an end, and read no answer. They are not
// read any more once they have what they may; others are served meanwhile; and in the end they are cut off.
func TestConnectionsThatNeverReadTakeBoundedMemory(t *testing.T) {
	p := startFlooded(t)
	p.change(t, http.MethodPut, "/v1/stock/A1", "", `{"description":"A1"}`, http.StatusOK)
	type sender struct {
		open net.Conn
		sent int
		err  error
	}
	senders := make(chan sender)
	attackers := rounds(3, 20)
	for n := range attackers {
		go func() {
			var s sender
			s.open, s.sent, s.err = sendAndNeverRead(t, p, fmt.Sprint("never-", n))
			senders <- s
		}()
	}
	var open []net.Conn
	for range attackers {
		s := <-senders
		if s.err != nil || s.sent >= floodBytes {
			t.Errorf("%d MiB were read of a client that reads nothing: %v", s.sent>>20, s.err)
		}
		open = append(open, s.open)
	}
	p.change(t, http.MethodPost, "/v1/stock/A1/receipts", "single", `{"quantity":1}`, http.StatusCreated)
	resp, err := http.Post("http://"+p.httpAddr+"/v1/commands", "application/x-ndjson",
		strings.NewReader(`{"id":"bulk","type":"receive_stock","sku":"A1","body":{"quantity":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(resp.Body) // what breaks off is not what the test wants
	resp.Body.Close()
	if !strings.Contains(string(answer), `"status":201`) {
		t.Errorf("another stream is answered %s", answer)
	}
	p.checkMemory()
	if rounds(0, 1) == 0 {
		return // the rest takes as long as a client may read nothing
	}
	for _, conn := range open {
		awaitCutOff(t, conn)
	}
	p.checkMemory()
}

// awaitCutOff waits until the server ends a connection whose client reads nothing.
func awaitCutOff(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetWriteDeadline(time.Now().Add(commands.BulkIdleTimeout + backWithin))
	for {
		if _, err := conn.Write([]byte("0")); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("not cut off after %s", commands.BulkIdleTimeout)
			return
		} else if err != nil {
			return
		}
	}
}
