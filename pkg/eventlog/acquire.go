package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// WriterOption changes how a writer is opened.
type WriterOption func(*writerOptions)

type writerOptions struct {
	pause func(phase string)
}

// Pause calls fn before each phase of acquiring: "init-0" to "init-2", "layout", and "fence <transactional id>" for
// each id of an earlier generation. Tests use it to stop and interleave acquirers.
func Pause(fn func(phase string)) WriterOption {
	return func(o *writerOptions) { o.pause = fn }
}

// OpenWriter acquires the right to write the shard, in three phases:
//
//  1. It initialises the shard's transactional ids, strictly in order. That fences the former writer and aborts the
//     transaction that it left open.
//  2. It checks that the layout has not changed (ErrLayoutMoved) and that the environment is the platform's (EnvError).
//  3. It fences the ids of all earlier generations that wrote any of the shard's partitions.
//
// When it returns, nothing that an earlier writer does can become visible in these partitions any more. It has asked
// where they end then (Ends).
//
// The writer asks through client, which has its connections already: nobody serves the shard meanwhile. It must stay
// open as long as the writer does.
func OpenWriter(
	ctx context.Context, client *Client, layout Layout, shard int32, opts ...WriterOption,
) (*Writer, error) {
	if err := layout.Validate(); err != nil {
		return nil, err
	}
	if layout.Generation == 0 || shard < 0 || shard >= layout.ShardCount {
		return nil, fmt.Errorf("shard %d does not exist in generation %d with %d shards",
			shard, layout.Generation, layout.ShardCount)
	}
	o := writerOptions{pause: func(string) {}}
	for _, opt := range opts {
		opt(&o)
	}
	w := &Writer{cfg: client.cfg, layout: layout, shard: shard, client: client}
	w.open, w.end = context.WithCancel(context.WithoutCancel(ctx))
	w.batch.init()
	err := w.acquire(ctx, o)
	if err == nil {
		w.ends, err = client.EndOffsets(ctx, layout.Partitions(shard))
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("acquire shard %d: %w", shard, err)
	}
	w.guard = newGuard(layout, w.ends)
	return w, nil
}

func (w *Writer) acquire(ctx context.Context, o writerOptions) error {
	for n := range w.producers {
		id := transactionalID(w.cfg.Env, w.layout.Generation, w.shard, n)
		producer, err := w.cfg.newTransactional(id, fmt.Sprintf("writer-%d-%d", w.shard, n))
		if err != nil {
			return err
		}
		w.producers[n] = producer
	}
	connected := w.connect(ctx)
	for n, producer := range w.producers {
		<-connected[n]
		o.pause(fmt.Sprintf("init-%d", n))
		if _, _, err := producer.ProducerID(ctx); err != nil {
			return initFailed(producer.id, err)
		}
	}
	// Only after our own ids: a writer of a generation that is newer than what we read now will fence them.
	o.pause("layout")
	id, err := w.client.identityNow(ctx)
	if err != nil {
		return err
	}
	history := id.Layouts
	if len(history) == 0 {
		return ErrNoLayout
	}
	if err := w.client.checkEnv(id.Env); err != nil {
		return err
	}
	if last := history[len(history)-1]; last != w.layout {
		return fmt.Errorf("%w: generation %d is now %d", ErrLayoutMoved, w.layout.Generation, last.Generation)
	}
	return w.client.fenceAll(ctx, formerIDs(w.cfg.Env, history, w.shard), o.pause)
}

// connect has all producers find their coordinators and connect to them at the same time. Initialising one ID after the
// other would do that one after the other, and it is most of the time that a shard takes to be fenced. The answer, what
// the coordinator knows of the ID, does not count, and neither does an error: initialising the ID meets it again.
func (w *Writer) connect(ctx context.Context) (connected [producersPerWriter]chan struct{}) {
	for n, producer := range w.producers {
		connected[n] = make(chan struct{})
		go func() {
			defer close(connected[n])
			req := kmsg.NewPtrDescribeTransactionsRequest()
			req.TransactionalIDs = []string{producer.id}
			_, _ = req.RequestWith(ctx, producer.Client)
		}()
	}
	return connected
}

// fenceAtOnce is how many transactional ids are fenced at a time. Unlike the shard's own ids, those of earlier
// generations have no order: each change of the layout adds more of them, and nobody serves the shard meanwhile.
const fenceAtOnce = 16

func (c *Client) fenceAll(ctx context.Context, ids []string, pause func(phase string)) error {
	var fencing sync.WaitGroup
	errs, slots := make([]error, len(ids)), make(chan struct{}, fenceAtOnce)
	for i, id := range ids {
		pause("fence " + id)
		slots <- struct{}{}
		fencing.Go(func() {
			if err := c.fence(ctx, id); err != nil {
				errs[i] = initFailed(id, err)
			}
			<-slots
		})
	}
	fencing.Wait()
	return errors.Join(errs...)
}

// transactionalID is the n-th of the ids under which a shard is written.
func transactionalID(env string, generation uint32, shard int32, n int) string {
	return fmt.Sprintf("%s-g%d-s%d-%d", env, generation, shard, n)
}

// formerIDs are the ids of all shards of earlier generations that wrote any partition of this shard.
func formerIDs(env string, history []Layout, shard int32) []string {
	now := history[len(history)-1]
	var ids []string
	for _, former := range history[:len(history)-1] {
		seen := make(map[int32]bool)
		for p := shard; p < now.PartitionCount; p += now.ShardCount {
			s := former.ShardOf(p)
			if seen[s] {
				continue
			}
			seen[s] = true
			for n := range producersPerWriter {
				ids = append(ids, transactionalID(env, former.Generation, s, n))
			}
		}
	}
	return ids
}

// fence initialises a transactional id only so that no former writer can use it any more.
func (c *Client) fence(ctx context.Context, id string) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(transactionTimeout / time.Millisecond)
	for {
		resp, err := req.RequestWith(ctx, c.kafka)
		if err != nil {
			return err
		}
		err = kerr.ErrorForCode(resp.ErrorCode)
		// ConcurrentTransactions: the broker is still aborting the id's open transaction. Ask again.
		if err == nil || !errors.Is(err, kerr.ConcurrentTransactions) && !kerr.IsRetriable(err) {
			return err
		}
		if waitErr := backoff.Sleep(ctx, retryPause); waitErr != nil {
			return errors.Join(waitErr, err)
		}
	}
}

func initFailed(id string, err error) error {
	return fmt.Errorf("initialise transactional id %s: %w", id, err)
}

// newTransactional opens a client for one transactional id. It sends nothing to the broker yet.
func (c *Config) newTransactional(id, metricsName string) (*transactional, error) {
	aborted := &atomic.Bool{}
	client, err := c.newClient(metricsName,
		kgo.WithLogger(abortWatch{clientLogger{c.Logger}, aborted}),
		kgo.TransactionalID(id),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(1<<20), // the caller limits its batches
	)
	if err != nil {
		return nil, err
	}
	return &transactional{client, id, aborted}, nil
}
