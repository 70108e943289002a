package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

const (
	// ordersRate is how many orders a second are placed.
	ordersRate = 1200
	// minHealthyRate is how many orders a second must be acknowledged while no fault is being handled.
	minHealthyRate = 1000
	// callers is how many orders may be waiting for their answers at once. While shards have no owner all callers wait.
	// With only a few dozen of them, too few orders would be in flight afterwards, and the test would measure the callers
	// instead of the platform.
	callers = 1000
)

// load is a program that places orders, and the file to which it writes the answers.
type load struct {
	t        *testing.T
	acksPath string
	cmd      *exec.Cmd
	cancel   context.CancelFunc
	output   bytes.Buffer
	acks     *os.File
	// answersRead is how many answers have been read from the file.
	answersRead int
	// healthyRates are the acknowledged orders per second of the periods without a fault. The first period is before any
	// fault.
	healthyRates []float64
}

// startLoad places orders at that rate, in orders a second, until stop is called.
func startLoad(t *testing.T, bin, urls string, rate int) *load {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	l := &load{t: t, acksPath: filepath.Join(t.TempDir(), "acks"), cancel: cancel}
	var err error
	if l.acks, err = os.Create(l.acksPath); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.acks.Close() })
	l.cmd = exec.CommandContext(ctx, filepath.Join(bin, "holdfast"), "bench", "orders",
		"--url", urls,
		"--rate", strconv.Itoa(rate),
		"--concurrency", strconv.Itoa(callers),
		"--warmup", "0s",
		"--duration", patience.String(),
		"--acks", l.acksPath,
		"--on-account",
		"--skus", "200")
	l.cmd.Cancel = func() error { return l.cmd.Process.Signal(os.Interrupt) }
	l.cmd.Stdout, l.cmd.Stderr = &l.output, &l.output
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() }) // a test that has failed does not wait for the orders in flight
	return l
}

// stop ends the load once all orders in flight have been answered. An order that was refused, or that the load gave up
// on, fails the test.
func (l *load) stop() {
	l.t.Helper()
	l.cancel()
	_ = l.cmd.Wait() // its error is that of the context; the exit code counts
	if status := l.cmd.ProcessState.ExitCode(); status != 0 {
		l.t.Errorf("the load ended with status %d", status)
	}
	l.t.Logf("%s", &l.output)
}

// countAnswers is the number of answers so far.
func (l *load) countAnswers() int {
	l.t.Helper()
	more, err := io.ReadAll(l.acks)
	if err != nil {
		l.t.Fatal(err)
	}
	l.answersRead += bytes.Count(more, []byte("\n"))
	return l.answersRead
}

// awaitAcks waits until n more orders have been acknowledged, and returns how many came per second.
func (l *load) awaitAcks(n int) float64 {
	l.t.Helper()
	before := l.countAnswers()
	enough := func() bool { return l.countAnswers() >= before+n }
	elapsed := waitUntil(l.t, 4*backWithin, enough, func() string {
		return fmt.Sprintf("%d orders acknowledged, want %d: the service is not back", l.answersRead-before, n)
	})
	return float64(l.answersRead-before) / elapsed.Seconds()
}

// awaitHealthyAcks is awaitAcks for a period without a fault, and records its rate.
func (l *load) awaitHealthyAcks(n int) {
	l.t.Helper()
	l.healthyRates = append(l.healthyRates, l.awaitAcks(n))
}

// checkHealthyRates requires minHealthyRate in the periods between faults. The period before the first fault shows what
// the machine can do: if it did not reach the rate even then, the machine is too slow to prove anything, and the test
// says so instead of failing. Of the other periods the median counts, so that a single pause of the machine does not
// fail the test.
func (l *load) checkHealthyRates() {
	l.t.Helper()
	before, between := l.healthyRates[0], slices.Sorted(slices.Values(l.healthyRates[1:]))
	median := between[len(between)/2]
	l.t.Logf("acknowledged per second: %.0f before the first fault, %.0f between the faults (median; %.0f)",
		before, median, between)
	switch {
	case before < minHealthyRate:
		l.t.Logf("NOT PROVEN: this machine does %.0f orders a second without a fault, too few to require %d between faults",
			before, minHealthyRate)
	case median < minHealthyRate:
		l.t.Errorf("%.0f orders a second were acknowledged between faults, want %d", median, minHealthyRate)
	}
}

// verify runs holdfast verify with the acknowledged orders. It tries again for a while, because the views may lag.
func verify(t *testing.T, bin, kafka, prefix, acksPath string, flags ...string) {
	t.Helper()
	deadline := time.Now().Add(backWithin * 2)
	args := append([]string{"verify", "--kafka", kafka, "--topic-prefix", prefix, "--acks", acksPath}, flags...)
	for {
		out, err := exec.Command(filepath.Join(bin, "holdfast"), args...).CombinedOutput()
		if err == nil {
			t.Logf("%s", out)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("verify: %v\n%s", err, out)
		}
	}
}
