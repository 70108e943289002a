//go:build !noembedded

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"
	"github.com/holdfast/holdfast/pkg/devstack"
)

// The insight that the demo adds is live after the first run. In the second it answers again, also where the log was
// restored from an archive meanwhile, of which positions name the restored log.
func TestDemoGeneratesReconcilesAndEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	demo := append([]string{"demo", "--exit", "--orders", "100", "--dir", dir}, freePorts...)
	var answers []string
	for _, begins := range []string{"computed in ", "Nothing to compute: the insight baskets_by_weekday is live since "} {
		out, err := holdfast(t, demo...)
		if err != nil || !strings.Contains(out, "Reconciled:") || !strings.Contains(out, begins) {
			t.Fatalf("%v\n%s", err, out)
		}
		_, answer, _ := strings.Cut(out, "GET /v1/insights/baskets_by_weekday\n\n")
		answer, _, _ = strings.Cut(answer, "\n\n")
		answers = append(answers, answer)
		if len(answers) == 1 {
			demo[len(demo)-1-len(freePorts)] = restored(t, dir)
		}
	}
	if !strings.Contains(answers[0], "\n  4 Thursday   GBP") || answers[0] != answers[1] {
		t.Errorf("the first run answers\n%s\nand the second\n%s", answers[0], answers[1])
	}
	for _, name := range []string{logName, "rejects.csv", "kafka"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("a named directory is kept: %v", err)
		}
	}
}

// restored is the folder of a platform that was made again from an archive of the one in dir, which does not run.
func restored(t *testing.T, dir string) string {
	t.Helper()
	archive, again := filepath.Join(t.TempDir(), "archive.hflog"), filepath.Join(t.TempDir(), "again")
	broker, err := devstack.StartKafka(t.Context(), devstack.KafkaOptions{Dir: stack.KafkaDir(dir)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := holdfast(t, "log", "export", archive, "--kafka", broker.Addrs()[0])
	broker.Close()
	if err != nil {
		t.Fatalf("export: %v\n%s", err, out)
	}
	if out, err := holdfast(t, "log", "import", archive, "--dir", again); err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	return again
}

// Reports and the log draw the same chart.
func TestDemoWithoutClickHouse(t *testing.T) {
	chart := func(clickHouse string) string {
		args := []string{"demo", "--exit", "--orders", "100", "--clickhouse", clickHouse}
		out, err := holdfast(t, append(args, freePorts...)...)
		_, after, found := strings.Cut(out, "credit notes taken off: ")
		embedded := clickHouse == "embedded"
		if err != nil || !found || strings.Contains(out, "GET /v1/reports") != embedded ||
			strings.Contains(out, "Left out: such questions are answered from ClickHouse") == embedded {
			t.Fatalf("%v\n%s", err, out)
		}
		_, bars, _ := strings.Cut(after, "\n\n")
		bars, _, _ = strings.Cut(bars, "\n\n")
		return bars
	}
	logged, reported := chart("off"), chart("embedded")
	if logged != reported || !strings.Contains(logged, "2025-11  █") {
		t.Errorf("the log says\n%s\nand the report\n%s", logged, reported)
	}
}

func TestFreeAddressAvoidsWhatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().String()
	if got := freeAddress(taken); got != "127.0.0.1:0" {
		t.Errorf("taken: %s", got)
	}
	_ = l.Close()
	if got := freeAddress(taken); got != taken {
		t.Errorf("free: %s", got)
	}
}
