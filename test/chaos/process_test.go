package chaos_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binDir has the programs of this checkout; buildOnce fills it when the first test needs them.
var binDir string

var buildOnce = sync.OnceValue(func() (err error) {
	if binDir, err = os.MkdirTemp("", "holdfast-chaos-"); err != nil {
		return err
	}
	args := []string{"build", "-o", binDir + string(filepath.Separator)}
	for _, name := range []string{"holdfast", "order-api", "inventory-projector", "query-api"} {
		args = append(args, "../../cmd/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
})

// buildPrograms builds the programs, once for all tests, and returns their folder.
func buildPrograms(t *testing.T) string {
	t.Helper()
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	return binDir
}

func TestMain(m *testing.M) {
	status := m.Run()
	_ = os.RemoveAll(binDir) // a leftover folder must not change the status of the tests
	os.Exit(status)
}

// pollInterval is the time between two evaluations of a condition.
const pollInterval = 20 * time.Millisecond

// waitUntil polls the condition and returns how long it took to become true. If it is still false after the limit, the
// test fails with the text that failure returns.
func waitUntil(t testing.TB, limit time.Duration, condition func() bool, failure func() string) time.Duration {
	t.Helper()
	start := time.Now()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for !condition() {
		if time.Since(start) > limit {
			t.Fatalf("after %s: %s", time.Since(start), failure())
		}
		<-poll.C
	}
	return time.Since(start)
}

// process is a program that a test starts, kills and starts again with the same arguments.
type process struct {
	t         testing.TB
	path      string
	newArgs   []string // of a former version: those that it gets with the upgrade
	args      []string
	httpAddr  string
	adminAddr string // of metrics; empty: not asked
	cmd       *exec.Cmd
	output    output
}

// output is what a process has printed. It may be read while the process runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String implements fmt.Stringer.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd := p.cmd
	p.t.Cleanup(func() { _ = cmd.Process.Kill() })
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// kill sends SIGKILL and waits until the process has ended.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	_ = p.cmd.Wait() // the error only says that the process was killed
}

// awaitReady waits until the process reports on /readyz that it is ready, and returns how long that took.
func (p *process) awaitReady(limit time.Duration) time.Duration {
	p.t.Helper()
	var said string
	ready := func() bool {
		var status int
		status, said = p.askReady("")
		return status == http.StatusOK
	}
	return waitUntil(p.t, limit, ready, func() string {
		return fmt.Sprintf("%s is not ready: %s\n%s", filepath.Base(p.path), said, p.outputTail())
	})
}

// ownedShards is how many shards the process owns according to its metrics. It is 0 when the process does not answer.
func (p *process) ownedShards() int {
	n, _ := strconv.Atoi(p.metric("holdfast_shard_owned")) // no number where it does not answer
	return n
}

// metric is the value of a metric without labels, as the process shows it; empty where it does not answer.
func (p *process) metric(name string) string {
	resp, err := http.Get("http://" + p.adminAddr + "/metrics")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // a body that breaks off lacks the metric, and counts as no answer
	_, rest, _ := strings.Cut(string(body), "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// awaitOwnsAll waits until the process owns all shards, and returns how long that took.
func (p *process) awaitOwnsAll(shards int) time.Duration {
	p.t.Helper()
	ownsAll := func() bool { return p.ownedShards() == shards }
	return waitUntil(p.t, 4*backWithin, ownsAll, func() string {
		return fmt.Sprintf("%s does not own all shards\n%s", filepath.Base(p.path), p.outputTail())
	})
}

// outputTail is the end of what the process has printed.
func (p *process) outputTail() string {
	text := p.output.String()
	return text[max(0, len(text)-4000):]
}

// awaitEnd waits until the process has ended by itself.
func (p *process) awaitEnd(limit time.Duration) {
	p.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case <-ended: // with whatever status
	case <-time.After(limit):
		p.t.Fatalf("%s has not ended after %s\n%s", filepath.Base(p.path), limit, p.outputTail())
	}
}

// fillDisk leaves no room on the disk of a folder, until the function that it returns is called.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 16
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}
