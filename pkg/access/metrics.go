package access

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics say how keys are used. Series have the IDs of keys, which are no secrets.
type metrics struct {
	keys    *Keys
	refused *prometheus.CounterVec
}

var lastUsed = prometheus.NewDesc("holdfast_access_key_last_used_timestamp_seconds",
	"When this process took an API key last, since its start; a key that it has not taken has none.",
	[]string{"key_id", "name"}, nil)

func newMetrics(keys *Keys, registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{keys: keys, refused: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_access_refused_total",
		Help: "Requests refused for their API key, by reason: missing, malformed, unknown, expired, revoked, scope.",
	}, []string{"reason"})}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m, m.refused} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of API keys: %w", err)
		}
	}
	return m, nil
}

// Refused counts a request that was refused for its key.
func (k *Keys) Refused(why error) { k.metrics.refused.WithLabelValues(why.Error()).Inc() }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(descs chan<- *prometheus.Desc) { descs <- lastUsed }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, key := range m.keys.All() {
		if second := key.usedAt.Load(); second != 0 && key.RevokedAt.IsZero() {
			out <- prometheus.MustNewConstMetric(lastUsed, prometheus.GaugeValue, float64(second), key.ID, key.Name)
		}
	}
}
