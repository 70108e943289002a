package e2e_test

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// watching is a command that goes on until it is interrupted.
type watching struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// watch starts a command against the platform.
func (p *platform) watch(t *testing.T, binary, line string) *watching {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), binary, strings.Fields(line)...)
	cmd.Env = append(os.Environ(), "HOLDFAST_URL="+p.url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &watching{t, cmd, bufio.NewScanner(out)}
}

// expect reads lines until one has a text, and interrupts the command after the last one.
func (w *watching) expect(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		for w.lines.Scan() && !strings.Contains(w.lines.Text(), text) {
		}
		if !strings.Contains(w.lines.Text(), text) {
			w.t.Fatalf("%v: %q never came: %v", w.cmd.Args, text, w.lines.Err())
		}
	}
}

// end interrupts the command, which is no failure.
func (w *watching) end() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGINT); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("%v: %v", w.cmd.Args, err)
	}
}

// What happens is followed on the command line, while it happens.
func TestWhatHappensIsFollowedOnTheCommandLine(t *testing.T) {
	binary := build(t)
	p := dev(t, binary, t.TempDir())
	must := func(want, line string) string {
		t.Helper()
		out, err := p.cli(t, binary, strings.Fields(line)...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("holdfast %s: %v\n%s\nwant %q", line, err, out, want)
		}
		return out
	}
	feed := p.watch(t, binary, "events --follow")
	stock := p.watch(t, binary, "stock watch A1 A2")
	must("A1", "stock register A1 --description Heart")
	feed.expect("holdfast.item_registered.v1  A1")
	must("10", "stock receive A1 10")
	stock.expect("A1  available 10")
	placed := must("reserved", "order place --customer c-1 --currency GBP --line A1=2@2.55")
	stock.expect("A1  available 8")
	id := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).FindString(placed)
	feed.expect("holdfast.order_placed.v2  " + id)
	must(id, "order get "+id+" --after "+positionPrinted.FindStringSubmatch(placed)[1])
	order := p.watch(t, binary, "order watch -o json "+id)
	order.expect(`"status":"reserved"`)
	all := p.watch(t, binary, "order watch --after start --customer c-1")
	all.expect("order_placed")
	must("cancelled", "order cancel "+id+" --reason mistake")
	order.expect(`"status":"cancelled"`)
	all.expect("order_cancelled  cancelled  5.10 GBP")
	for _, w := range []*watching{feed, stock, order, all} {
		w.end()
	}
	must("holdfast.order_cancelled.v1  "+id, "events --order "+id)
	out := must(`"customer_id":"c-1"`, "events -o json --types order_placed --topic orders.events")
	if n := strings.Count(out, "\n"); n != 2 { // an event, and the position
		t.Errorf("%d lines: %s", n, out)
	}
	for line, want := range map[string]string{
		"events --after x": "invalid_position", "events --after ": "--after is empty",
		"events --types paid":       "invalid_parameter",
		"order watch --status lost": "invalid_parameter", "stock watch --below -1": "invalid_parameter",
	} {
		args := strings.Split(line, " ")
		if out, err := p.cli(t, binary, args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("holdfast %s: %v %s, want %s", line, err, out, want)
		}
	}
}
