package chaos_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	// floodQueueWait is how long a command may have to wait for its shard.
	floodQueueWait = 2 * time.Second
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
		"--max-request-memory", strconv.Itoa(floodRequestsMiB), "--max-queue-wait", floodQueueWait.String())
	attacked.awaitReady(4 * backWithin)
	return attacked
}

// The memory of a process, and the most that it has had, in /proc.
var (
	peakPattern     = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
	residentPattern = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
)

// memoryMiB is what the kernel says of the process's memory.
func (p *process) memoryMiB(pattern *regexp.Regexp) int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	found := pattern.FindSubmatch(status)
	if found == nil {
		p.t.Fatalf("no %s in %s", pattern, status)
	}
	kib, _ := strconv.Atoi(string(found[1])) // the pattern matches digits only
	return kib >> 10
}

// checkMemory holds the process to what it was told that it may use.
func (p *process) checkMemory() {
	p.t.Helper()
	peak := p.memoryMiB(peakPattern)
	p.t.Logf("at most %d MiB of memory", peak)
	if peak > floodMemoryMiB+beyondHeapMiB {
		p.t.Errorf("%d MiB of memory were used, and %d are allowed", peak, floodMemoryMiB+beyondHeapMiB)
	}
}

// bulkHeader begins a request to POST /v1/commands whose body has no length.
const bulkHeader = "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n" +
	"Transfer-Encoding: chunked\r\n\r\n"

// wideLines is how many lines a wide order has.
const wideLines = 2000

// wideOrder is a line that places an order of 2,000 SKUs with that prefix. Where they are unknown its answer lists them
// all.
func wideOrder(key, prefix string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":%q,"type":"place_order","body":{"customer_id":"c","currency":"GBP","lines":[`, key)
	for i := range wideLines {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"%s%d","quantity":1,"unit_price":"1.00"}`, prefix, i)
	}
	b.WriteString("]}}\n")
	return b.Bytes()
}

// sendAndNeverRead sends orders of SKUs with that prefix until nobody reads them any more, and returns the open
// connection.
func sendAndNeverRead(t *testing.T, p *process, name, prefix string, most int) (open net.Conn, sent int, err error) {
	conn, err := net.Dial("tcp", p.httpAddr)
	if err != nil {
		return nil, 0, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, bulkHeader); err != nil {
		return nil, 0, err
	}
	for i := 0; sent < most; i++ {
		line := wideOrder(fmt.Sprintf("%s-%d", name, i), prefix)
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

// TestConnectionsThatNeverReadTakeBoundedMemory: clients send lines without an end, and read no answer. Orders of some
// are refused, those of others placed. They are not
// read any more once they have what they may; others are served meanwhile; and in the end they are cut off.
func TestConnectionsThatNeverReadTakeBoundedMemory(t *testing.T) {
	p := startFlooded(t)
	p.change(t, http.MethodPut, "/v1/stock/A1", "", `{"description":"A1"}`, http.StatusOK)
	stockWideOrders(t, p, "known-")
	type sender struct {
		open net.Conn
		sent int
		err  error
	}
	senders := make(chan sender)
	attackers := rounds(3, 20)
	for n := range attackers {
		prefix, most := "unknown-", floodBytes
		if n%2 == 1 { // its answers are so short that the network keeps them, and all of it may be read
			prefix, most = "known-", rounds(5<<20, floodBytes/2)
		}
		go func() {
			var s sender
			s.open, s.sent, s.err = sendAndNeverRead(t, p, fmt.Sprint("never-", n), prefix, most)
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
	// While lines of the others are being decided, there may be no memory for another stream: it is told to come again.
	var answer []byte
	served := func() bool {
		resp, err := http.Post("http://"+p.httpAddr+"/v1/commands", "application/x-ndjson",
			strings.NewReader(`{"id":"bulk","type":"receive_stock","sku":"A1","body":{"quantity":1}}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ = io.ReadAll(resp.Body) // what breaks off is not what the test wants
		resp.Body.Close()
		return resp.StatusCode != http.StatusTooManyRequests
	}
	waitUntil(t, backWithin, served, func() string { return fmt.Sprintf("another stream is answered %s", answer) })
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

// stockWideOrders registers the SKUs of wide orders with that prefix, and has enough of each.
func stockWideOrders(t *testing.T, p *process, prefix string) {
	t.Helper()
	bulk(t, p, func(out *bufio.Writer) {
		for i := range wideLines {
			sku := fmt.Sprint(prefix, i)
			fmt.Fprintf(out, `{"id":"r","type":"register_item","sku":"%s","body":{"description":"d"}}`+"\n", sku)
			fmt.Fprintf(out, `{"id":"s","type":"receive_stock","sku":"%s","body":{"quantity":1000000}}`+"\n", sku)
		}
	})
}

// TestAStreamOfWideOrdersTakesBoundedMemory: a client sends lines without an end and reads every answer. What is kept
// of its orders is bounded by their size, not by their number.
func TestAStreamOfWideOrdersTakesBoundedMemory(t *testing.T) {
	p := startFlooded(t)
	stockWideOrders(t, p, "known-")
	size := rounds(5<<20, floodBytes) // a process that kept all of them would need 384 MiB from 20 MiB on
	orders := bulk(t, p, func(out *bufio.Writer) {
		for i, sent := 0, 0; sent < size; i++ {
			n, _ := out.Write(wideOrder(fmt.Sprintf("wide-%d", i), "known-")) // bulk fails when it cannot be sent
			sent += n
		}
	})
	t.Logf("%d orders of %d SKUs were placed", orders, wideLines)
	p.checkMemory()
}

// bulk sends lines on one stream, each of which must succeed, and returns how many there were.
func bulk(t *testing.T, p *process, send func(out *bufio.Writer)) (lines int) {
	t.Helper()
	reader, writer := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(writer, 64<<10)
		send(out)
		_ = writer.CloseWithError(out.Flush())
	}()
	resp, err := http.Post("http://"+p.httpAddr+"/v1/commands", "application/x-ndjson", reader)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answers := bufio.NewReader(resp.Body)
	for {
		answer, err := answers.ReadSlice('\n')
		if err == io.EOF {
			return lines
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			t.Fatal(err)
		}
		if !bytes.Contains(answer, []byte(`"status":20`)) {
			t.Fatalf("line %d: %.1000s", lines, answer)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = answers.ReadSlice('\n')
		}
		lines++
	}
}

// floodSKU is what the floods change.
const floodSKU = "flooded"

// receipt is a command on it, which each key does once.
func (p *process) receipt(
	client *http.Client, key string,
) (status int, retryAfter string, took time.Duration, err error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+p.httpAddr+"/v1/stock/"+floodSKU+"/receipts",
		strings.NewReader(`{"quantity":1}`))
	if err != nil {
		return 0, "", 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Retry-After"), time.Since(began), err
}

// p99 is the time within which 99 of 100 were answered.
func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}

// TestAFloodOfRequestsIsRefusedEarly: more requests come at once than there is memory for. Those that are taken are
// answered soon, the others are told at once when to come again, and the process keeps to its memory.
func TestAFloodOfRequestsIsRefusedEarly(t *testing.T) {
	p := startFlooded(t)
	p.change(t, http.MethodPut, "/v1/stock/"+floodSKU, "", `{"description":"flooded"}`, http.StatusOK)
	callers := rounds(2_000, 10_000)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: callers, MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var took []time.Duration
	statuses := map[int]int{}
	end := time.Now().Add(time.Duration(rounds(4, 30)) * time.Second)
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				status, retryAfter, duration, err := p.receipt(client, fmt.Sprintf("flood-%d-%d", caller, n))
				mu.Lock()
				switch statuses[status]++; {
				case err != nil:
					t.Errorf("a request failed: %v", err)
				case status == http.StatusCreated:
					took = append(took, duration)
				case status != http.StatusTooManyRequests:
					t.Errorf("a request was answered %d", status)
				case retryAfter == "" || retryAfter == "0":
					t.Error("a refusal does not say when to come again")
				}
				failed := t.Failed()
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	group.Wait()
	t.Logf("%v", statuses)
	if statuses[http.StatusCreated] == 0 || statuses[http.StatusTooManyRequests] == 0 {
		t.Fatal("nothing was taken, or nothing refused")
	}
	// A command waits for its shard at most that long; the rest is for the sender and the server, on a busy machine.
	if worst := p99(took); worst > floodQueueWait+backWithin/2 {
		t.Errorf("99 of 100 were answered within %s", worst)
	} else {
		t.Logf("99 of 100 were answered within %s", worst)
	}
	p.checkMemory()
}

const (
	// floodComeAgain is how often a caller of a flood may be told to come again.
	floodComeAgain = 20
	// givenBackWithin is how long a process may keep the memory of a flood, which may be givenBackMiB in the end.
	givenBackWithin = time.Minute
	givenBackMiB    = 32
)

// TestAFloodThatComesAgainGetsIn: thousands come at once with one command each, and whoever is refused comes again when
// he was told to. All get in, and the process gives the memory back that it needed for them.
func TestAFloodThatComesAgainGetsIn(t *testing.T) {
	p := startFlooded(t)
	p.change(t, http.MethodPut, "/v1/stock/"+floodSKU, "", `{"description":"flooded"}`, http.StatusOK)
	before := p.memoryMiB(residentPattern)
	callers := rounds(5_000, 10_000)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: callers, MaxIdleConnsPerHost: callers}}
	var mu sync.Mutex
	var took []time.Duration
	refused, longest := 0, 0
	var group sync.WaitGroup
	began := time.Now()
	for caller := range callers {
		group.Go(func() {
			times, duration, err := p.comeAgain(client, fmt.Sprint("again-", caller))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			took = append(took, duration)
			refused, longest = refused+times, max(longest, times)
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	worst := p99(took)
	t.Logf("%d callers were in within %s, half of them answered within %s, 99 of 100 within %s; %d refusals, at most %d "+
		"of one", callers, time.Since(began), took[len(took)/2], worst, refused, longest)
	if worst > floodQueueWait+backWithin/2 {
		t.Error("that is longer than a command may wait")
	}
	p.checkMemory()
	client.CloseIdleConnections()
	gaveBack := waitUntil(t, givenBackWithin, func() bool { return p.memoryMiB(residentPattern) <= before+givenBackMiB },
		func() string {
			return fmt.Sprintf("%d MiB of memory are not given back; %d before", p.memoryMiB(residentPattern), before)
		})
	t.Logf("%d MiB of memory before, and again after %s", before, gaveBack)
}

// comeAgain sends a receipt until it is taken, each time when the answer before said. It returns how often it was
// refused, and how long the answer took that was none.
func (p *process) comeAgain(client *http.Client, key string) (refused int, took time.Duration, err error) {
	for ; refused <= floodComeAgain; refused++ {
		status, retryAfter, took, err := p.receipt(client, key)
		if err != nil {
			return refused, 0, err
		}
		if status == http.StatusCreated {
			return refused, took, nil
		}
		seconds, err := strconv.Atoi(retryAfter)
		busy := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if !busy || err != nil || seconds < 1 {
			return refused, 0, fmt.Errorf("a request was answered %d, Retry-After %q", status, retryAfter)
		}
		<-time.After(time.Duration(seconds) * time.Second)
	}
	return refused, 0, fmt.Errorf("a client that came when it was told to was refused %d times", refused)
}

// TestAStreamKeepsNobodyWaiting: a stream sends lines as fast as it can, for the same shard as single commands beside
// it. These take turns with it.
func TestAStreamKeepsNobodyWaiting(t *testing.T) {
	p := startFlooded(t)
	p.change(t, http.MethodPut, "/v1/stock/"+floodSKU, "", `{"description":"flooded"}`, http.StatusOK)
	lines := rounds(60_000, 300_000)
	reader, writer := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(writer, 64<<10)
		for i := range lines {
			fmt.Fprintf(out, `{"id":"line-%d","type":"receive_stock","sku":"%s","body":{"quantity":1}}`+"\n", i, floodSKU)
		}
		_ = writer.CloseWithError(out.Flush())
	}()
	resp, err := http.Post("http://"+p.httpAddr+"/v1/commands", "application/x-ndjson", reader)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ended := make(chan int)
	go func() {
		done := 0
		for answers := bufio.NewScanner(resp.Body); answers.Scan(); {
			if bytes.Contains(answers.Bytes(), []byte(`"status":201`)) {
				done++
			}
		}
		ended <- done
	}()
	var took []time.Duration
	for n := 0; ; n++ {
		select {
		case done := <-ended:
			if done != lines {
				t.Errorf("%d of %d lines were done", done, lines)
			}
			if len(took) == 0 {
				t.Fatal("no single command was answered beside the stream")
			}
			worst := p99(took)
			t.Logf("%d single commands, 99 of 100 within %s", len(took), worst)
			if worst > floodQueueWait {
				t.Error("that is longer than a command may wait")
			}
			p.checkMemory()
			return
		default:
		}
		status, _, duration, err := p.receipt(http.DefaultClient, fmt.Sprint("single-", n))
		if err != nil || status != http.StatusCreated {
			t.Fatalf("beside the stream: %d, %v", status, err)
		}
		took = append(took, duration)
	}
}
