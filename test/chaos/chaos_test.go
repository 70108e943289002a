// Package chaos_test kills the real programs while clients place orders, and holds the log to the
// invariants afterwards: no acknowledged order lost, none doubled.
package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	// backWithin is how long a killed service may take until it is ready again.
	backWithin = 10 * time.Second
	patience   = 3 * time.Minute
	ordersRate = "1200"
)

// binaries builds the programs of this checkout into a folder.
func binaries(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "../../cmd/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// process is a program that is started, killed and started again with the same arguments.
type process struct {
	t      *testing.T
	path   string
	args   []string
	health string // its HTTP address
	cmd    *exec.Cmd
	output bytes.Buffer
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

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	_ = p.cmd.Wait() // says that it was killed
}

// await waits until the process says that it is ready.
func (p *process) await(within time.Duration) time.Duration {
	p.t.Helper()
	start := time.Now()
	for {
		resp, err := http.Get("http://" + p.health + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Since(start)
			}
		}
		if time.Since(start) > within {
			p.t.Fatalf("%s is not ready after %s: %v\n%s", filepath.Base(p.path), within, err, tail(p.output.Bytes()))
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// ownsAll waits until the process serves all shards, and says how long that took.
func (p *process) ownsAll(shards int) time.Duration {
	p.t.Helper()
	start := time.Now()
	want := fmt.Appendf(nil, "\nholdfast_shard_owned %d\n", shards)
	for {
		resp, err := http.Get("http://" + p.health + "/metrics")
		if err == nil {
			body, _ := io.ReadAll(resp.Body) // cut short, it does not have what is looked for
			resp.Body.Close()
			if bytes.Contains(body, want) {
				return time.Since(start)
			}
		}
		if time.Since(start) > 4*backWithin {
			p.t.Fatalf("%s does not serve all shards after %s: %v\n%s", filepath.Base(p.path), time.Since(start), err, tail(p.output.Bytes()))
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

// load places orders until stop is called, and writes what was answered to acks.
func load(t *testing.T, bin, urls, acks, rate string) (stop func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "holdfast"), "bench", "orders", "--url", urls,
		"--rate", rate, "--warmup", "0s", "--duration", patience.String(), "--acks", acks, "--on-account", "--skus", "200")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() string {
		cancel()
		_ = cmd.Wait() // it was interrupted; what it was answered is in the file
		return out.String()
	}
}

// acked waits until n more orders have been acknowledged: the load is running.
func acked(t *testing.T, acks string, n int) {
	t.Helper()
	count := func() int {
		b, err := os.ReadFile(acks)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("\n"))
	}
	want := count() + n
	for deadline := time.Now().Add(backWithin * 4); count() < want; {
		if time.Now().After(deadline) {
			t.Fatalf("%d orders acknowledged, want %d: the service is not back", count(), want)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// verify holds the log to the invariants; the views get a little time to follow.
func verify(t *testing.T, bin, kafka, prefix, acks string) {
	t.Helper()
	deadline := time.Now().Add(backWithin * 2)
	for {
		out, err := exec.Command(filepath.Join(bin, "holdfast"), "verify", "--kafka", kafka, "--topic-prefix", prefix, "--acks", acks).CombinedOutput()
		if err == nil {
			t.Logf("%s", out)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("verify: %v\n%s", err, out)
		}
	}
}

func TestKillTheEmbeddedPlatform(t *testing.T) {
	bin := binaries(t, "holdfast")
	api, kafka := freeAddress(t), freeAddress(t)
	dir, acks := t.TempDir(), filepath.Join(t.TempDir(), "acks")
	p := &process{t: t, path: filepath.Join(bin, "holdfast"), health: api,
		args: []string{"dev", "--dir", dir, "--listen", api, "--kafka-listen", kafka, "--shards", "2"}}
	p.start()
	p.await(backWithin)
	stop := load(t, bin, "http://"+api, acks, ordersRate)
	var slowest time.Duration
	for range 10 {
		acked(t, acks, 1500)
		p.kill()
		p.start()
		slowest = max(slowest, p.await(backWithin))
	}
	acked(t, acks, 500)
	t.Logf("slowest restart %s; %s", slowest, fmt.Sprint(stop()))
	verify(t, bin, kafka, "", acks)
	// Everything but the log is a cache: without it the same comes back.
	p.kill()
	for _, cache := range []string{"order-api", "query-api"} {
		if err := os.RemoveAll(filepath.Join(dir, cache)); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	p.await(backWithin)
	verify(t, bin, kafka, "", acks)
}
