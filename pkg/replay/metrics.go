package replay

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

type metrics struct {
	offsets  *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
	tables   *prometheus.GaugeVec
	lag      *prometheus.GaugeVec
	told     map[lagSeries]int64 // what lag has
}

// lagSeries are the labels of a series of lag.
type lagSeries struct{ insight, mode string }

// The modes of work. A replay of the history never looks like live work that is late.
const (
	modeLive   = "live"
	modeReplay = "replay"
)

func modeOf(r *catalog.Replay) string {
	if r.Phase == catalog.Filling {
		return modeReplay
	}
	return modeLive
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		offsets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_insight_offsets_total",
			Help: "Offsets of events that were computed into tables of insights, by mode: live or replay."},
			[]string{"insight", "mode"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_insight_fill_seconds", Help: "Time of one fill of an insight's table, by mode: live or replay.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"mode"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_insight_failures_total", Help: "Fills that failed and are tried again, by mode: live or replay."},
			[]string{"insight", "mode"}),
		tables: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_insight_tables", Help: "Tables of insights that this replica fills, by mode: live or replay."},
			[]string{"mode"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_insight_lag_records",
			Help: "Offsets between the tables of an insight and the mirror, in the partitions of this replica, by mode: of a " +
				"replay it is what is left to do."}, []string{"insight", "mode"}),
	}
	for _, mode := range []string{modeLive, modeReplay} { // 0 from the start
		m.tables.WithLabelValues(mode)
		m.seconds.WithLabelValues(mode)
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.offsets, m.seconds, m.failures, m.tables, m.lag} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of insights: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) filled(r *catalog.Replay, offsets int64, took time.Duration) {
	m.offsets.WithLabelValues(r.Insight, modeOf(r)).Add(float64(offsets))
	m.seconds.WithLabelValues(modeOf(r)).Observe(took.Seconds())
}

func (m *metrics) failed(r *catalog.Replay) { m.failures.WithLabelValues(r.Insight, modeOf(r)).Inc() }

func (m *metrics) kept(tables map[string]*table) {
	n := map[string]float64{modeLive: 0, modeReplay: 0}
	for _, t := range tables {
		n[modeOf(t.replay)]++
	}
	for mode, count := range n {
		m.tables.WithLabelValues(mode).Set(count)
	}
}

// behind tells how far the tables are from the mirror, which has come to the offsets reached.
func (m *metrics) behind(tables map[string]*table, reached eventlog.Offsets) {
	left := map[lagSeries]int64{}
	for _, t := range tables {
		s := lagSeries{t.replay.Insight, modeOf(t.replay)}
		left[s] += t.left(reached)
	}
	for s := range m.told { // what is gone
		if _, ok := left[s]; !ok {
			m.lag.DeleteLabelValues(s.insight, s.mode)
		}
	}
	for s, offsets := range left {
		m.lag.WithLabelValues(s.insight, s.mode).Set(float64(offsets))
	}
	m.told = left
}
