package eventlog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  eventlog.Config
		want []string
	}{
		"good": {
			eventlog.Config{Seeds: []string{"kafka-0:9092", "[::1]:9092"}, Env: "shop-1", TopicPrefix: "a."}, nil,
		},
		"no seeds": {eventlog.Config{}, []string{"no seed broker"}},
		"all at once": {
			eventlog.Config{Seeds: []string{"kafka"}, Env: "a b", TopicPrefix: "ä", ReplicationFactor: -1},
			[]string{`seed broker "kafka"`, `environment name "a b"`, `topic prefix "ä"`, "replication factor -1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.cfg.Validate()
			if (err == nil) != (tc.want == nil) {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			c, err := eventlog.Open(tc.cfg)
			if (err == nil) != (tc.want == nil) {
				t.Fatal(err)
			}
			if c != nil {
				c.Close()
			}
		})
	}
}

func TestClientMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	cfg := logtest.Config(t)
	cfg.Registerer = registry
	p := newPlatform(t, cfg, 2, 1)
	mustCommit(t, p.writer(t, 0), order(0, "x"))
	// Another writer has the same metrics, while those of the first are still registered.
	mustCommit(t, p.writer(t, 0), order(0, "y"))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var clients []string
	for _, f := range families {
		if f.GetName() != "holdfast_kafka_produce_records_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "client" {
					clients = append(clients, l.GetValue())
				}
			}
		}
	}
	if !slices.Contains(clients, "holdfast/writer-0-0") {
		t.Errorf("records were counted for %v", clients)
	}
}
