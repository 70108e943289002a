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
	return c, service.Parse(fs, args)
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings")
	if err := os.WriteFile(file, []byte("kafka from-file:1\nenv from-file\nshards 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOLDFAST_ENV", "from-environment")
	t.Setenv("HOLDFAST_KAFKA", "from-environment:1")
	c, err := parse(t, "--config", file, "--kafka", "from-flag:1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Kafka != "from-flag:1" || c.Env != "from-environment" || c.Shards != 5 || c.Partitions != 12 {
		t.Fatalf("%+v", c)
	}
}

func TestASettingThatIsNoneIsRefused(t *testing.T) {
	if _, err := parse(t, "--shards", "many"); err == nil || !strings.Contains(err.Error(), "shards") {
		t.Fatalf("it says %v", err)
	}
	if _, err := service.Logger(os.Stderr, "loud"); err == nil || !strings.Contains(err.Error(), "debug, info, warn, error") {
		t.Fatalf("it says %v", err)
	}
}

func TestThePartThatFailsStopsTheOthers(t *testing.T) {
	broken := errors.New("broken")
	err := service.Run(context.Background(),
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		func(context.Context) error { return broken })
	if !errors.Is(err, broken) {
		t.Fatalf("it says %v", err)
	}
}
