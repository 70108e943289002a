package analytics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	rows             *prometheus.CounterVec
	insert           *prometheus.HistogramVec
	flush            prometheus.Histogram
	visible          prometheus.Histogram
	restarts, parked prometheus.Counter
	lag, partitions  prometheus.Gauge
}

// newMetrics creates the metrics of a mirror, and registers them unless registerer is nil.
func newMetrics(m *Mirror, registerer prometheus.Registerer) (*metrics, error) {
	x := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_mirror_rows_total",
			Help: "Rows written to ClickHouse, repeated ones included, by table."}, []string{"table"}),
		insert: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_mirror_insert_rows",
			Help:    "Rows of one insert into a table. A busy log makes a thousand and more.",
			Buckets: []float64{1, 10, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000}}, []string{"table"}),
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_mirror_flush_seconds", Help: "Time to write a batch to ClickHouse, its progress included.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}),
		visible: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_mirror_visible_seconds",
			Help: "Time from the moment an event was decided until its rows can be queried; " +
				"one event a batch, its oldest.",
			Buckets: []float64{.1, .25, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300}}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_mirror_restarts_total", Help: "Times the mirror began again after an error."}),
		parked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_mirror_dead_letters_total", Help: "Events that could not be mirrored and were parked."}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_mirror_lag_records",
			Help: "Offsets between the mirror and the end of its partitions, transaction markers included."}),
		partitions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_mirror_partitions", Help: "Partitions that this replica mirrors, of each event topic."}),
	}
	if registerer == nil {
		return x, nil
	}
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_mirror_lag_seconds",
		Help: "Time since the mirror was last known to stand at the end of its partitions."},
		func() float64 { return m.age().Seconds() })
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_mirror_up", Help: "1 while the mirror can write to ClickHouse, 0 while it waits to try again."},
		func() float64 {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.fault != nil {
				return 0
			}
			return 1
		})
	for _, c := range []prometheus.Collector{
		x.rows, x.insert, x.flush, x.visible, x.restarts, x.parked, x.lag, x.partitions, age, up,
	} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the mirror: %w", err)
		}
	}
	return x, nil
}
