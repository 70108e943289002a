package projector

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	events, restarts prometheus.Counter
	lag, stopped     prometheus.Gauge
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
		r.metrics.events, r.metrics.restarts, r.metrics.lag, r.metrics.stopped, age,
	} {
		if err := registerer.Register(c); err != nil {
			return fmt.Errorf("register the metrics of view %s: %w", r.cfg.Name, err)
		}
	}
	return nil
}
