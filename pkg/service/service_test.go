package service_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast/holdfast/pkg/service"
)

func parse(t *testing.T, args ...string) (service.Common, error) {
	t.Helper()
	var c service.Common
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	c.Register(fs)
	return c, service.Parse(fs, "", args)
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings")
	settings := []byte("kafka from-file:1\nenv from-file\nshards 5\nreplication-factor 3\n")
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOLDFAST_ENV", "from-environment")
	t.Setenv("HOLDFAST_KAFKA", "from-environment:1")
	c, err := parse(t, "--config", file, "--kafka", "from-flag:1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Kafka != "from-flag:1" || c.Env != "from-environment" || c.Shards != 5 || c.Partitions != 12 {
		t.Errorf("%+v", c)
	}
	if got := c.Log("", nil, nil).ReplicationFactor; got != 3 {
		t.Errorf("replication factor %d, want 3", got)
	}
}

func TestInvalidSettingsAreRefused(t *testing.T) {
	if _, err := parse(t, "--shards", "many"); err == nil || !strings.Contains(err.Error(), "shards") {
		t.Fatalf("it says %v", err)
	}
	_, err := service.Logger(os.Stderr, "loud")
	if err == nil || !strings.Contains(err.Error(), "debug, info, warn, error") {
		t.Fatalf("it says %v", err)
	}
}

func TestAComponentThatFailsStopsTheOthers(t *testing.T) {
	broken := errors.New("broken")
	err := service.Run(context.Background(),
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		func(context.Context) error { return broken })
	if !errors.Is(err, broken) {
		t.Fatalf("it says %v", err)
	}
}

func TestComponentsStopInReverse(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var ended []string // no lock: each component ends before the next one is stopped
	begun := make(chan struct{}, 3)
	component := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			begun <- struct{}{}
			<-ctx.Done()
			ended = append(ended, name)
			return ctx.Err()
		}
	}
	go func() {
		for range 3 {
			<-begun
		}
		cancel()
	}()
	if err := service.Run(ctx, component("store"), component("view"), component("server")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ended, " "); got != "server view store" {
		t.Fatalf("they ended as %s", got)
	}
}

func TestSettingsAreCheckedFromEverySource(t *testing.T) {
	t.Setenv("HOLDFAST_KAFKA", "no-port")
	if _, err := parse(t); err == nil || !strings.Contains(err.Error(), `"no-port" is not host:port`) {
		t.Errorf("it says %v", err)
	}
	for flag, want := range map[string]string{
		"--log-level=loud":       "none of debug, info, warn, error",
		"--partitions=0":         "not a number from 1 to 1024",
		"--shards=2000":          "not a number from 1 to 1024",
		"--replication-factor=0": "not a number from 1 to 1024",
		"--listen=8080":          `"8080" is not host:port`,
		"--kafka=a:1,b":          `"b" is not host:port`,
	} {
		if _, err := parse(t, "--kafka=a:1", flag); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: it says %v, want %s", flag, err, want)
		}
	}
}

// Every mistake is told at once, wherever it is, with the flag and the variable that set it.
func TestEveryMistakeInTheSettingsIsToldAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings")
	if err := os.WriteFile(file, []byte("env a\nnope 1\nreplication-factor many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOLDFAST_PARTITIONS", "0")
	t.Setenv("HOLDFAST_LISTEN", "8080") // the command line wins, and is right
	fs := flag.NewFlagSet("order-api", flag.ContinueOnError)
	var c service.Common
	var every, window time.Duration
	var rows int
	c.Register(fs)
	service.DurationVar(fs, &every, "every", time.Second, 0, "how often")
	service.DurationVar(fs, &window, "window", time.Minute, time.Second, "how long")
	fs.IntVar(&rows, "rows", 1, "how many")
	err := service.Parse(fs, "", []string{
		"--config", file, "--lisen", ":80", "--nope=1", "--kafka", "a", "--listen", ":80", "--every=-1s", "--window", "1ms",
		"--rows", "few", "--check=maybe", "--shards=", "--kafka-ca",
	})
	want := `settings: 12 problems
  - --lisen is no setting of order-api; --help lists them
  - --nope is no setting of order-api; --help lists them
  - --kafka-ca lacks its value
  - --kafka (HOLDFAST_KAFKA): "a" is not host:port
  - --every (HOLDFAST_EVERY) "-1s": it is negative
  - --window (HOLDFAST_WINDOW) "1ms": it is shorter than 1s
  - --rows (HOLDFAST_ROWS) "few": it is no whole number
  - --check (HOLDFAST_CHECK) "maybe": it is neither true nor false
  - --shards (HOLDFAST_SHARDS) "": it is not a number from 1 to 1024
  - --partitions (HOLDFAST_PARTITIONS) "0": it is not a number from 1 to 1024
  - --config: config file flag "nope" not defined in flag set
  - --replication-factor (HOLDFAST_REPLICATION_FACTOR) "many": it is not a number from 1 to 1024`
	if err == nil || err.Error() != want {
		t.Errorf("it says\n%v\nwant\n%s", err, want)
	}
	if c.Env != "a" || c.Listen != ":80" {
		t.Errorf("what is right is not read: %+v", c)
	}
}

// Errors that have been joined become a list; one that says more than those that it joins stays whole.
func TestProblemsOfSettingsAreJoined(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	inner := service.JoinSettings(errors.Join(a, nil, errors.Join(b)))
	err := service.JoinSettings(nil, inner, fmt.Errorf("%w and %w", b, c))
	if want := "settings: 3 problems\n  - a\n  - b\n  - b and c"; err == nil || err.Error() != want || !errors.Is(err, c) {
		t.Errorf("it says %v", err)
	}
	if err := service.JoinSettings(nil, errors.Join(nil)); err != nil {
		t.Errorf("of no problem it says %v", err)
	}
	if err := service.JoinSettings(a); err.Error() != "settings: a" {
		t.Errorf("of one it says %v", err)
	}
}

func TestHelpListsTheSettings(t *testing.T) {
	var out strings.Builder
	fs := flag.NewFlagSet("order-api", flag.ContinueOnError)
	var c service.Common
	c.Register(fs)
	fs.SetOutput(&out)
	for _, ask := range []string{"--help", "-h"} {
		out.Reset()
		err := service.Parse(fs, "It takes commands.\n", []string{"--kafka", "a", ask})
		if !errors.Is(err, flag.ErrHelp) || !strings.HasPrefix(out.String(), "It takes commands.\nSettings of order-api:") {
			t.Errorf("%s: %v %s", ask, err, out.String())
		}
	}
}

func TestLogsAreJSONUnlessOnATerminal(t *testing.T) {
	var b strings.Builder
	log, err := service.Logger(&b, "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("not this")
	log.Warn("this", "n", 1)
	got := b.String()
	if !strings.HasPrefix(got, "{") || strings.Contains(got, "not this") || !strings.Contains(got, `"n":1`) {
		t.Fatalf("%s", got)
	}
}

// A line of a traced request names its trace, also where equal lines are counted.
func TestLinesOfATracedRequestNameItsTrace(t *testing.T) {
	var b strings.Builder
	log, err := service.Logger(&b, "info")
	if err != nil {
		t.Fatal(err)
	}
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	log.With("shard", 1).WithGroup("request").WarnContext(ctx, "slow")
	log.Info("untraced")
	first, second, _ := strings.Cut(b.String(), "\n")
	if !strings.Contains(first, `"trace_id":"01000000000000000000000000000000","span_id":"0200000000000000"`) ||
		strings.Contains(second, "trace_id") {
		t.Errorf("the log is %s", b.String())
	}
}
