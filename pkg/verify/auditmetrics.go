package verify

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/projector"
)

// auditMetrics are what the auditor has checked and found, since the start of the log: also before a restart.
type auditMetrics struct {
	view    *auditView
	runtime *projector.Runtime
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("holdfast_verify_"+name, help, labels, nil)
}

var (
	eventsMetric     = describe("events_total", "Events that the auditor has checked, since the start of the log.")
	checksMetric     = describe("checks_total", "Checks of an invariant, since the start of the log.", "invariant")
	violationsMetric = describe("violations_total",
		"Violations of an invariant that were found, since the start of the log.", "invariant")
	reusedKeysMetric = describe("reused_keys_total",
		"Idempotency keys that placed two orders because a client sent them with two bodies, since the start of the log.")
	lagMetric = describe("lag_records",
		"Offsets between the auditor and the end of the log, transaction markers included.")
	lagSecondsMetric = describe("lag_seconds",
		"Time since the auditor was last known to stand at the end of the log; about a second when it keeps up.")
	offsetMetric  = describe("offset", "The offset up to which the auditor has read a partition.", "topic", "partition")
	waitingMetric = describe("waiting_orders", "Orders that waited for stock to answer or to follow when last compared.")
	overdueMetric = describe("overdue_orders", "Orders that wait for stock for longer than --overdue-after.")
)

func (v *auditView) register(registerer prometheus.Registerer, runtime *projector.Runtime) error {
	if registerer == nil {
		return nil
	}
	if err := registerer.Register(&auditMetrics{v, runtime}); err != nil {
		return fmt.Errorf("register the auditor's metrics: %w", err)
	}
	return nil
}

// Describe implements prometheus.Collector.
func (*auditMetrics) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		eventsMetric, checksMetric, violationsMetric, reusedKeysMetric, lagMetric, lagSecondsMetric, offsetMetric,
		waitingMetric, overdueMetric,
	} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (m *auditMetrics) Collect(metrics chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	s := m.view.snapshot()
	counter(eventsMetric, s.events)
	for i, n := range names {
		if notFollowed[n.id] {
			continue
		}
		counter(checksMetric, s.checked[i].checks, n.id)
		counter(violationsMetric, s.checked[i].violations, n.id)
	}
	counter(reusedKeysMetric, s.reusedKeys)
	gauge(lagMetric, float64(m.runtime.Lag()))
	gauge(lagSecondsMetric, m.runtime.Age().Seconds())
	for tp, next := range s.next {
		gauge(offsetMetric, float64(next), tp.Topic, strconv.Itoa(int(tp.Partition)))
	}
	gauge(waitingMetric, float64(s.waiting))
	gauge(overdueMetric, float64(s.overdue))
}

// notFollowed are the invariants that only a verification of a whole log checks: they need the answers that clients
// got, ClickHouse, or the catalogue.
var notFollowed = map[string]bool{Acknowledged: true, Replayed: true, Mirror: true, Places: true}
