package shard

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	commitSeconds, batchEvents       prometheus.Histogram
	resends, reconciled, refusedFull prometheus.Counter
	stepsSent, refusedLate           prometheus.Counter
	refusedBound                     prometheus.Counter
	dropped                          *prometheus.CounterVec // by queue
	acquires                         *prometheus.CounterVec // by result
	restored, damaged, givenUp       prometheus.Counter
	ownedShards                      prometheus.Gauge
	generation, layoutShards         prometheus.Gauge
	standbyLag, clockSkew            *prometheus.GaugeVec // by shard
	served, serving, commitAge       *prometheus.GaugeVec // by shard
}

// Queues that may have no room for a message, in metrics.
const (
	queueOfShard = "shard"
	queueOfPeer  = "peer"
)

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_commit_seconds", Help: "Time of one transaction of a shard.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_batch_events", Help: "Events in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 16)}),
		resends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_steps_resent_total", Help: "Steps between shards that were sent again."}),
		stepsSent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_steps_sent_total",
			Help: "Steps between shards that were sent, each time that one was sent again included."}),
		reconciled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_reconciled_total",
			Help: "Differences between orders and stock that were found and mended; 0 on Apache Kafka."}),
		refusedFull: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_queue_full_total",
			Help: "Commands refused because the queue of their shard, or of the replica that serves it, was full."}),
		refusedLate: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_queue_late_total",
			Help: "Commands refused because they would have waited for their shard longer than --max-queue-wait."}),
		refusedBound: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_late_attempts_total",
			Help: "Commands answered 503 because a later attempt of the same command was refused, or may have been."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_shard_messages_dropped_total",
			Help: "Messages between shards that found no room and are sent again later, by queue: " +
				"of the shard that they were for, or of the replica that serves it."}, []string{"queue"}),
		acquires: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_shard_acquires_total", Help: "Attempts to take over a shard, by result."}, []string{"result"}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_restored_records_total",
			Help: "Records of the log that were read to take shards over."}),
		damaged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_checkpoints_damaged_total",
			Help: "Checkpoints that were damaged, and were deleted and built again from the log."}),
		givenUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_given_up_total",
			Help: "Times that this replica left its shards to the others, because it could not serve one."}),
		standbyLag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_standby_lag_records",
			Help: "Offsets between the checkpoint of a shard that another replica serves and the log, " +
				"when it last began to follow."}, []string{"shard"}),
		clockSkew: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_clock_skew_seconds",
			Help: "How far this replica's clock was ahead of the broker's when it last announced that it owns the shard.",
		}, []string{"shard"}),
		served: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_served",
			Help: "1 for a shard that is served, by this replica or by one that answers; 0 for one that is not.",
		}, []string{"shard"}),
		serving: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_serving", Help: "1 for a shard that this replica serves; 0 for the others.",
		}, []string{"shard"}),
		commitAge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_last_commit_age_seconds",
			Help: "How long ago the last commit of a shard that this replica serves ended. An idle shard commits once a minute.",
		}, []string{"shard"}),
		ownedShards: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_shard_owned", Help: "Shards that this replica serves."}),
	}
	m.generation = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "holdfast_layout_generation", Help: "Generation of the layout that this replica serves under."})
	m.layoutShards = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "holdfast_layout_shards", Help: "Shards of the layout that this replica serves under."})
	for _, queue := range []string{queueOfShard, queueOfPeer} {
		m.dropped.WithLabelValues(queue) // 0 from the start
	}
	return m, m.register(reg)
}

func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{
		m.commitSeconds, m.batchEvents, m.resends, m.stepsSent, m.refusedLate, m.reconciled, m.refusedFull,
		m.refusedBound, m.dropped, m.acquires, m.restored, m.damaged, m.givenUp, m.standbyLag, m.clockSkew,
		m.served, m.serving, m.commitAge, m.ownedShards, m.generation, m.layoutShards,
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the shard metrics: %w", err)
		}
	}
	return nil
}
