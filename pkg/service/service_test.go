package service_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
