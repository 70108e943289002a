package shard

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	outcomes                         map[string]*commandOutcomes // by type of command
	commands                         *prometheus.CounterVec
	decideSeconds, commitSeconds     prometheus.Histogram
	batchEvents, handOverSeconds     prometheus.Histogram
	acquireSeconds                   *prometheus.HistogramVec // by phase
	resends, reconciled, refusedFull prometheus.Counter
	stepsSent, refusedLate           prometheus.Counter
	writtenUnanswered, released      prometheus.Counter
	refusedBound, keysLookedUp       prometheus.Counter
	dropped                          *prometheus.CounterVec // by queue
	acquires                         *prometheus.CounterVec // by result
	restored, damaged, givenUp       prometheus.Counter
	ownedShards                      prometheus.Gauge
	generation, layoutShards         prometheus.Gauge
	standbyLag, standbyAge           *prometheus.GaugeVec // by shard
	standbyCurrent                   *prometheus.GaugeVec // by shard
	queued, unsettledAge, clockSkew  *prometheus.GaugeVec // by shard
	served, serving, commitAge       *prometheus.GaugeVec // by shard
}

// Results of taking a shard over, in metrics.
const (
	acquired      = "acquired"
	acquireFailed = "failed"
)

// Queues that may have no room for a message, in metrics.
const (
	queueOfShard = "shard"
	queueOfPeer  = "peer"
)

func newMetrics(reg prometheus.Registerer, commandTypes []string) (*metrics, error) {
	m := &metrics{
		commands: newCommandsTotal(),
		decideSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_decide_seconds", Help: "Time to decide the inputs of one transaction of a shard.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 10)}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_commit_seconds", Help: "Time of one transaction of a shard.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_batch_events", Help: "Events in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 16)}),
		handOverSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_handover_seconds",
			Help: "Time for which commands of a shard waited on this replica for its next owner: from the first that found " +
				"none until there was one.",
			Buckets: []float64{.05, .1, .25, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60}}),
		acquireSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_shard_acquire_seconds",
			Help: "Time of each phase of taking over a shard: fence, which ends the former owner's writes; restore, from the " +
				"checkpoint and the log; announce; reconcile, orders with stock.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10)}, []string{"phase"}),
		resends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_steps_resent_total", Help: "Steps between shards that were sent again."}),
		stepsSent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_steps_sent_total",
			Help: "Steps between shards that were sent, each time that one was sent again included."}),
		writtenUnanswered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_orders_written_unanswered_total",
			Help: "Orders written before stock of other shards had answered, because it took long, or a shard changed hands."}),
		released: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_reservations_released_total",
			Help: "Reservations released whose order was never written, because its shard was lost before."}),
		reconciled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_reconciled_total",
			Help: "Differences between orders and stock that were found and mended; 0 on Apache Kafka."}),
		keysLookedUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_keys_looked_up_total",
			Help: "Times another shard was asked, before an order was placed, whether its key had placed one there."}),
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
		standbyAge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_standby_lag_seconds",
			Help: "How long ago the checkpoint of a shard that another replica serves last had all of the log.",
		}, []string{"shard"}),
		standbyCurrent: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_standby_current",
			Help: "Whether this replica keeps a checkpoint of a shard that another replica serves, and could take it over at " +
				"once: 1 or 0. Only of a replica that is to keep some.",
		}, []string{"shard"}),
		queued: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_queue_inputs",
			Help: "Commands and messages of other shards that wait to be decided by a shard of this replica.",
		}, []string{"shard"}),
		unsettledAge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_oldest_unsettled_seconds",
			Help: "How long the oldest order of a shard of this replica has waited for stock of other shards; 0: none waits.",
		}, []string{"shard"}),
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
	for _, phase := range acquirePhases {
		m.acquireSeconds.WithLabelValues(phase)
	}
	for _, result := range []string{acquired, acquireFailed} {
		m.acquires.WithLabelValues(result)
	}
	m.outcomes = outcomesByType(m.commands, commandTypes)
	return m, m.register(reg)
}

func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{
		m.commands, m.decideSeconds, m.commitSeconds, m.batchEvents, m.handOverSeconds, m.acquireSeconds,
		m.standbyAge, m.standbyCurrent, m.queued, m.unsettledAge, m.resends, m.stepsSent, m.writtenUnanswered, m.released,
		m.refusedLate, m.reconciled, m.refusedFull,
		m.refusedBound, m.keysLookedUp, m.dropped, m.acquires, m.restored, m.damaged, m.givenUp, m.standbyLag, m.clockSkew,
		m.served, m.serving, m.commitAge, m.ownedShards, m.generation, m.layoutShards,
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the shard metrics: %w", err)
		}
	}
	return nil
}

// noteRunner tells of a shard of this replica; nil: it is none.
func (m *metrics) noteRunner(label string, r *runner) {
	if r == nil {
		for _, gauges := range []*prometheus.GaugeVec{m.commitAge, m.queued, m.unsettledAge} {
			gauges.DeleteLabelValues(label)
		}
		return
	}
	now := time.Now()
	m.commitAge.WithLabelValues(label).Set(sinceNanos(now, r.pulse.lastCommit.Load()).Seconds())
	m.queued.WithLabelValues(label).Set(float64(r.inbox.waiting()))
	m.unsettledAge.WithLabelValues(label).Set(sinceNanos(now, r.pulse.unsettled.Load()).Seconds())
}

// noteStandby tells when the standby of a shard last had all of the log, in Unix nanoseconds; 0: there is none that
// had. keepsAny: this replica is to keep standbys, of this shard or others.
func (m *metrics) noteStandby(label string, current int64, keepsAny bool) {
	if current == 0 {
		m.standbyAge.DeleteLabelValues(label)
	} else {
		m.standbyAge.WithLabelValues(label).Set(sinceNanos(time.Now(), current).Seconds())
	}
	if keepsAny {
		m.standbyCurrent.WithLabelValues(label).Set(gauge(current != 0))
	} else {
		m.standbyCurrent.DeleteLabelValues(label)
	}
}
