package eventlog_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// faultyPlatform has a broker of its own that can be made to fail.
func faultyPlatform(t *testing.T) (*platform, *kfake.Cluster) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return newPlatform(t, eventlog.Config{Seeds: cluster.ListenAddrs(), Embedded: true}, 2, 1), cluster
}

func unclear(t *testing.T, err error, fenced bool) {
	t.Helper()
	var u *eventlog.UnclearError
	if !errors.As(err, &u) || u.Fenced != fenced {
		t.Fatalf("%v, want an unclear error with Fenced %v", err, fenced)
	}
}

func TestOneFailedRecordFailsTheCommit(t *testing.T) {
	p, cluster := faultyPlatform(t)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "kept"), order(1, "kept"))
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1}, Err: kerr.InvalidRecord})
	// The record in partition 0 succeeds. If the client were asked to commit now, it would report success.
	err := w.Commit([]*eventlog.Record{order(0, "torn"), order(1, "torn")})
	unclear(t, err, false)
	if !errors.Is(err, kerr.InvalidRecord) {
		t.Errorf("%v does not tell the cause", err)
	}
	if err := w.Commit([]*eventlog.Record{order(0, "late")}); !errors.Is(err, eventlog.ErrWriterDead) {
		t.Errorf("the writer is not dead: %v", err)
	}
	p.onlyKept(t)
}

// onlyKept acquires the shard again, and checks that only the records that were committed before are there.
func (p *platform) onlyKept(t *testing.T) {
	t.Helper()
	next := p.writer(t, 0)
	for tp, values := range p.readAll(t, p.layout.Partitions(0)) {
		if !slices.Equal(values, []string{"kept"}) {
			t.Errorf("%v has %v", tp, values)
		}
	}
	mustCommit(t, next, order(0, "next"), order(1, "next"))
}

func TestCommitThatTheBrokerRefusesIsUnclear(t *testing.T) {
	for name, tc := range map[string]struct {
		err    *kerr.Error
		fenced bool
	}{
		"unknown":        {kerr.UnknownServerError, false},
		"epoch":          {kerr.InvalidProducerEpoch, true},
		"fenced":         {kerr.ProducerFenced, true},
		"state":          {kerr.InvalidTxnState, true},
		"mapping":        {kerr.InvalidProducerIDMapping, true},
		"authorization":  {kerr.TransactionalIDAuthorizationFailed, false},
		"must be abort":  {kerr.TransactionAbortable, false},
		"fenced by term": {kerr.TransactionCoordinatorFenced, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, cluster := faultyPlatform(t)
			w := p.writer(t, 0)
			mustCommit(t, w, order(0, "kept"), order(1, "kept"))
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: tc.err})
			// After the refusal the writer must send nothing any more: no abort, no request for a producer id.
			asked := cluster.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID}, Count: -1, Observe: true,
			})
			unclear(t, w.Commit([]*eventlog.Record{order(0, "lost"), order(1, "lost")}), tc.fenced)
			if n := asked.Hits(); n != 0 {
				t.Errorf("the dead writer asked %d more times", n)
			}
			p.onlyKept(t)
		})
	}
}

func TestAnUnclearCommitMayHaveHappened(t *testing.T) {
	p, cluster := faultyPlatform(t)
	w := p.writer(t, 0)
	// The broker commits, but answers with a timeout.
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.RequestTimedOut})
	unclear(t, w.Commit([]*eventlog.Record{order(0, "kept"), order(1, "kept")}), false)
	p.onlyKept(t)
}

func TestRecordsThatAreSentAgainAreThereOnce(t *testing.T) {
	p, cluster := faultyPlatform(t)
	w := p.writer(t, 0)
	again := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend})
	mustCommit(t, w, order(0, "kept"), order(1, "kept"))
	if again.Hits() != 1 {
		t.Errorf("%d faults were met", again.Hits())
	}
	p.onlyKept(t)
}

func TestCloseEndsACommitThatHangs(t *testing.T) {
	p, cluster := faultyPlatform(t)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "kept"), order(1, "kept"))
	refusing := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1,
	})
	committed := make(chan error)
	go func() { committed <- w.Commit([]*eventlog.Record{order(0, "lost")}) }()
	if err := refusing.Wait(logtest.Context(t), 1); err != nil {
		t.Fatal(err)
	}
	w.Close()
	unclear(t, <-committed, false)
	refusing.Remove()
	p.onlyKept(t)
}

func TestOffsetsAreAskedForAgainAfterALeaderChange(t *testing.T) {
	p, cluster := faultyPlatform(t)
	mustCommit(t, p.writer(t, 0), order(0, "x"))
	p.awaitEnd(t, orders0, 2)
	fault := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.ListOffsets}, Partitions: []int32{0}, Err: kerr.OffsetNotAvailable, Count: 2,
	})
	end, err := p.EndOffsets(logtest.Context(t), []eventlog.TopicPartition{orders0})
	if err != nil || end[orders0] != 2 || fault.Hits() != 2 {
		t.Errorf("end %v, %v after %d faults", end, err, fault.Hits())
	}
	cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.ListOffsets}, Partitions: []int32{0}, Err: kerr.TopicAuthorizationFailed,
	})
	_, err = p.EndOffsets(logtest.Context(t), []eventlog.TopicPartition{orders0})
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("without the right to ask: %v", err)
	}
}

func TestTopicsThatCannotBeCreated(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c := open(t, eventlog.Config{Seeds: cluster.ListenAddrs(), Embedded: true})
	cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: eventlog.TopicOrders, Err: kerr.PolicyViolation,
	})
	want := eventlog.Layout{PartitionCount: 2, ShardCount: 1}
	if _, err := c.EnsurePlatform(logtest.Context(t), want); !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("refused by a policy: %v", err)
	}
	// The next attempt finishes it.
	if _, err := c.EnsurePlatform(logtest.Context(t), want); err != nil {
		t.Error(err)
	}
}
