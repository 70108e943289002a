package compare

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/bench/peers/shop"
)

func namesOf(systems []system) (names []string) {
	for _, s := range systems {
		names = append(names, s.Name)
	}
	return names
}

func TestSystemsAndWorkloadsAreChosen(t *testing.T) {
	valid := Config{Rounds: 1, Duration: time.Second, Redis: "true"}
	b, err := newBench(valid)
	if err != nil {
		t.Fatal(err)
	}
	if names := namesOf(b.systems); slices.Contains(names, onKafka) || len(names) != 9 || len(b.workloads) != 5 {
		t.Errorf("without Kafka: %v", names)
	}
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no rounds":  {func(c *Config) { c.Rounds = 0 }, "at least 1"},
		"no time":    {func(c *Config) { c.Duration = 0 }, "at least 1"},
		"a system":   {func(c *Config) { c.Systems = []string{"oracle"} }, `no system "oracle"; there are holdfast, `},
		"a workload": {func(c *Config) { c.Workloads = []string{"cold"} }, `no workload "cold"; there are three-lines, `},
		"no Kafka":   {func(c *Config) { c.Systems = []string{onKafka} }, "needs --kafka"},
		"no Redis":   {func(c *Config) { c.Redis = "no-such-redis" }, "apt-get install redis-server"},
	} {
		cfg := valid
		test.change(&cfg)
		if _, err := newBench(cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	valid.Systems, valid.Kafka, valid.Redis = []string{"batch", onKafka}, "127.0.0.1:1", "no-such-redis"
	if b, err := newBench(valid); err != nil || !slices.Equal(namesOf(b.systems), []string{onKafka, "batch"}) {
		t.Errorf("chosen ones, of which none needs Redis: %v", err)
	}
}

// The keys of a run are numbered, so that each acknowledged order can be looked for.
func TestAcknowledgedOrders(t *testing.T) {
	r := &loadReport{Answers: map[string]int64{"201": 2}}
	r.Settings.KeyPrefix = "bench-7"
	want := []uuid.UUID{shop.OrderID("bench-7-0"), shop.OrderID("bench-7-1")}
	if ids := r.acknowledged(); !slices.Equal(ids, want) {
		t.Errorf("%v", ids)
	}
}

func TestServersSayWhereTheyServe(t *testing.T) {
	const banner = "echo 'Holdfast is ready'; echo; echo '  API         http://127.0.0.1:81'; " +
		"echo '  Kafka       127.0.0.1:82'; exec sleep 60"
	p, found, err := startServer(t.Context(), "a server", exec.Command("sh", "-c", banner), apiAddress, kafkaAddress)
	if err != nil || !slices.Equal(found, []string{"http://127.0.0.1:81", "127.0.0.1:82"}) {
		t.Fatalf("%q, %v", found, err)
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

func TestAServerThatEndsSaysWhy(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo the disk is full >&2; exit 3")
	_, _, err := startServer(t.Context(), "a server", cmd, regexp.MustCompile("(never)"))
	if err == nil || !strings.Contains(err.Error(), "exit status 3\nthe disk is full") {
		t.Errorf("%v", err)
	}
	if _, _, err := startServer(t.Context(), "a server", exec.Command("no-such-program")); err == nil {
		t.Error("a program that does not exist was started")
	}
}

func TestTheEndOfAnOutputIsKept(t *testing.T) {
	var out tail
	for range 3 {
		_, _ = out.Write([]byte(strings.Repeat("x", keptOutput)))
	}
	_, _ = out.Write([]byte("end\n"))
	if s := out.String(); len(s) != keptOutput-1 || !strings.HasSuffix(s, "xend") {
		t.Errorf("%d bytes", len(s))
	}
}
