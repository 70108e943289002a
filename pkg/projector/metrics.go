package projector

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	events, restarts prometheus.Counter
	lag, stopped     prometheus.Gauge
	visible          prometheus.Histogram
}

// newMetrics registers the metrics of the runtime's view. Without a registerer they only count.
func (r *Runtime) newMetrics(registerer prometheus.Registerer) error {
	view := prometheus.Labels{"view": r.cfg.Name}
	r.metrics = metrics{
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name:        "holdfast_view_events_total",
			Help:        "Records folded into the view, repeated ones included.",
			ConstLabels: view,
		}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name:        "holdfast_view_restarts_total",
			Help:        "Times the view began again after an error.",
			ConstLabels: view,
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name:        "holdfast_view_lag_records",
			Help:        "Offsets between the view and the end of its topic, transaction markers included.",
			ConstLabels: view,
		}),
		stopped: prometheus.NewGauge(prometheus.GaugeOpts{
			Name:        "holdfast_view_stopped_partitions",
			Help:        "Partitions that stopped at a record that cannot be folded.",
			ConstLabels: view,
		}),
		visible: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_view_visible_seconds",
			Help: "Time from the moment an event was decided until the view shows it; one event a flush, its oldest, " +
				"of a view that has caught up once.",
			ConstLabels: view,
			Buckets:     []float64{.005, .01, .025, .05, .1, .25, .5, .75, 1, 1.5, 2, 5, 10, 30, 60},
		}),
	}
	if registerer == nil {
		return nil
	}
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_view_lag_seconds",
		Help: "Time since the view was last known to stand at the end of its topic; " +
			"about a second when it keeps up.",
		ConstLabels: view,
	}, func() float64 { return r.Age().Seconds() })
	for _, c := range []prometheus.Collector{
		r.metrics.events, r.metrics.restarts, r.metrics.lag, r.metrics.stopped, r.metrics.visible, age,
	} {
		if err := registerer.Register(c); err != nil {
			return fmt.Errorf("register the metrics of view %s: %w", r.cfg.Name, err)
		}
	}
	return nil
}
