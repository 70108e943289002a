package shard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

const (
	// formerWait bounds how long the first acquire of a generation waits until the replicas have released the shards of
	// the former one. One that was killed does not, and is fenced.
	formerWait = time.Second
	// formerPoll is how often the group is asked meanwhile.
	formerPoll = 5 * time.Millisecond
	// moveTimeout bounds how long the shards of the former generation may take to be released.
	moveTimeout = 10 * time.Second
)

// process is what the generations of one replica share.
type process struct {
	cfg     Config
	log     *slog.Logger
	client  *eventlog.Client
	metrics *metrics
	// replica is the name of this replica.
	replica string
}

// Replica is the write side of one process. It follows the layout: when that changes it releases its shards, and serves
// those that it is given under the next generation. Where the change is planned, it prepares before.
type Replica struct {
	process
	leaveDataDir func()
	incarnation  eventlog.Incarnation
	current      atomic.Pointer[Node]
	stop         context.CancelFunc
	done         sync.WaitGroup

	// next prepares for a planned layout; nil: none is planned. They are for the goroutine that follows the layout, and
	// for Close after it.
	next  *Node
	plan  uuid.UUID
	heard time.Time // the plan
}

// Start joins the platform, creating it when it is empty, and returns at once; Ready tells when it can be used.
func Start(ctx context.Context, cfg Config) (*Replica, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Decode == nil || cfg.DataDir == "" {
		return nil, errors.New("shard: Config needs Decode and DataDir")
	}
	if cfg.StandbyEvery < 0 {
		return nil, fmt.Errorf("a standby cannot follow the log every %s; 0 turns standbys off", cfg.StandbyEvery)
	}
	if cfg.Standbys < 0 {
		return nil, fmt.Errorf("a shard cannot have %d standbys; a StandbyEvery of 0 turns standbys off", cfg.Standbys)
	}
	if cfg.Standbys == 0 {
		cfg.Standbys = DefaultStandbys
	}
	if cfg.MaxClockSkew < 0 {
		return nil, fmt.Errorf("clocks cannot be %s apart; 0 does not compare them", cfg.MaxClockSkew)
	}
	if cfg.PaymentWindow == 0 {
		cfg.PaymentWindow = limits.DefaultPaymentWindow
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	m, err := newMetrics(cfg.Registerer, cfg.CommandTypes)
	if err != nil {
		return nil, err
	}
	client, err := eventlog.Open(cfg.Log)
	if err != nil {
		return nil, err
	}
	cfg.Log = client.Config() // with the certificates that it has read: writers are opened long after
	r := &Replica{process: process{cfg: cfg, log: cfg.Logger, client: client, metrics: m}}
	if r.replica, r.leaveDataDir, err = openReplica(ctx, cfg.DataDir); err != nil {
		client.Close()
		return nil, err
	}
	if err := r.begin(ctx); err != nil {
		r.leaveDataDir()
		client.Close()
		return nil, err
	}
	return r, nil
}

// begin serves under the layout as it is, and follows it.
func (r *Replica) begin(ctx context.Context) error {
	layout, err := r.client.EnsurePlatform(ctx, r.cfg.Want)
	if err != nil {
		return err
	}
	id, err := r.client.Identity(ctx)
	if err != nil {
		return err
	}
	r.incarnation = id.Incarnation
	if err := r.checkFolder(ctx); err != nil {
		return err
	}
	node, err := r.newNode(ctx, layout)
	if err != nil {
		return err
	}
	if err := node.listen(); err != nil {
		return err
	}
	if err := node.join(ctx, true); err != nil {
		node.peers.Close()
		return err
	}
	node.serve()
	r.serves(node)
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.done.Go(func() { r.followLayout(run) })
	return nil
}

// checkFolder refuses a data folder of another platform.
func (r *Replica) checkFolder(ctx context.Context) error {
	if r.cfg.Platform == nil {
		return nil
	}
	id, err := r.client.PlatformID(ctx)
	if err != nil {
		return err
	}
	return r.cfg.Platform(id)
}

// newNode is the write side under a layout, which counts or is planned.
func (r *Replica) newNode(ctx context.Context, layout eventlog.Layout) (*Node, error) {
	if err := r.forgetOther(layout); err != nil {
		return nil, err
	}
	var former []eventlog.Layout
	if layout.Generation > 1 {
		history, err := r.client.LayoutHistory(ctx)
		if err != nil {
			return nil, err
		}
		former = history[:layout.Generation-1]
	}
	return newNode(r.process, layout, former)
}

// serves notes that a node is the one that counts.
func (r *Replica) serves(node *Node) {
	r.current.Store(node)
	r.metrics.generation.Set(float64(node.layout.Generation))
	r.metrics.layoutShards.Set(float64(node.layout.ShardCount))
}

// Node is the part of this replica under the layout that counts now.
func (r *Replica) Node() *Node { return r.current.Load() }

// Incarnation is that of the log.
func (r *Replica) Incarnation() eventlog.Incarnation { return r.incarnation }

// Submit hands a command to its shard's owner. It never blocks; the future is answered in any case.
func (r *Replica) Submit(cmd *Command) *Future { return r.Node().Submit(cmd) }

// SubmitBehind is Submit for a command that must not overtake the previous one on its aggregate; see Node.
func (r *Replica) SubmitBehind(previous *Future, cmd *Command) *Future {
	return r.Node().SubmitBehind(previous, cmd)
}

// PartitionsBySKU is how many partitions there are, where new orders are placed with their goods, and 0 otherwise.
func (r *Replica) PartitionsBySKU() int32 {
	if layout := r.Node().layout; layout.OrdersWithGoods() {
		return layout.PartitionCount
	}
	return 0
}

// Heard is what this replica knows now; see Node.
func (r *Replica) Heard() *Heard { return r.Node().Heard() }

// Ready is nil while this replica can be used; see Node.
func (r *Replica) Ready() error { return r.Node().Ready() }

// Shards says of each shard whether it is served, and by whom.
func (r *Replica) Shards() []Status { return r.Node().Shards() }

// OwnedShards is how many shards this replica serves.
func (r *Replica) OwnedShards() int { return r.Node().OwnedShards() }

// Close releases all shards, so that other replicas acquire them at once, and waits for the last commit.
func (r *Replica) Close(ctx context.Context) error {
	r.stop()
	r.done.Wait()
	r.dropNext("")
	err := r.Node().close(ctx)
	r.client.Close()
	r.leaveDataDir()
	return err
}

// followLayout prepares for the layouts that are planned, and moves to those that count, until ctx ends.
func (r *Replica) followLayout(ctx context.Context) {
	for ctx.Err() == nil {
		f, err := r.client.FollowLayout(ctx)
		if err == nil {
			err = r.readLayout(ctx, f)
			f.Close()
		}
		if ctx.Err() != nil {
			return
		}
		r.log.Warn("follow the layout", "error", err)
		_ = backoff.Sleep(ctx, reacquireBackoff) // the loop sees the end of ctx
	}
}

func (r *Replica) readLayout(ctx context.Context, f *eventlog.LayoutFollower) error {
	for {
		wait, cancel := context.WithTimeout(ctx, eventlog.PlanRefresh)
		news, err := f.Next(wait)
		cancel()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return err
		}
		for i := range news {
			if err := r.learn(ctx, &news[i]); err != nil {
				return err
			}
		}
		if err := r.report(ctx); err != nil {
			return err
		}
	}
}

// learn acts on what was written about the layout.
func (r *Replica) learn(ctx context.Context, n *eventlog.LayoutNews) error {
	now := r.Node().layout
	switch {
	case n.Layout != nil && n.Layout.Generation > now.Generation:
		return r.move(ctx, *n.Layout)
	case n.Plan != nil && n.Plan.From == now && n.Age < eventlog.PlanLease:
		r.plan, r.heard = n.Plan.ID, time.Now()
		return r.prepare(ctx, n.Plan.To)
	case n.Withdrawn != nil && r.next != nil && *n.Withdrawn == r.plan:
		r.dropNext("it was withdrawn")
	case n.Withdrawn != nil:
		r.Node().released(*n.Withdrawn)
	case n.Pin != nil && n.Age < eventlog.PlanLease:
		r.Node().pin(*n.Pin)
	}
	return nil
}

// prepare builds the checkpoints of a layout that is planned.
func (r *Replica) prepare(ctx context.Context, layout eventlog.Layout) error {
	if r.next != nil {
		if r.next.layout == layout {
			return nil
		}
		r.dropNext("another one is planned")
	}
	next, err := r.newNode(ctx, layout)
	if err != nil {
		return err
	}
	if err := next.join(ctx, false); err != nil {
		return err
	}
	r.next = next
	r.log.Info("preparing for another layout", "generation", layout.Generation, "shards", layout.ShardCount)
	return nil
}

// dropNext ends the preparation for a planned layout. Its checkpoints stay, for the next time.
func (r *Replica) dropNext(because string) {
	if r.next == nil {
		return
	}
	if because != "" {
		r.log.Info("the planned layout is given up: "+because, "generation", r.next.layout.Generation)
	}
	ctx, cancel := context.WithTimeout(context.Background(), moveTimeout)
	defer cancel()
	if err := r.next.close(ctx); err != nil {
		r.log.Warn("leave the group of a planned layout", "error", err)
	}
	r.next = nil
}

// report says how far the preparation is, and ends it where nobody refreshes the plan.
func (r *Replica) report(ctx context.Context) error {
	if r.next == nil {
		return nil
	}
	if time.Since(r.heard) > eventlog.PlanLease {
		r.dropNext("whoever planned it was not heard of for " + eventlog.PlanLease.String())
		return nil
	}
	lag, ready := r.next.prepared()
	return r.client.ReportPreparation(ctx,
		eventlog.Preparation{
			Plan: r.plan, Replica: r.replica, LagRecords: lag, Ready: ready, PlacesWithGoods: true,
		})
}

// prepared is how many records of the log the checkpoints have still to read that this replica is to have, and whether
// each has been at the log's end once. Without standbys there is nothing to prepare.
func (n *Node) prepared() (lag int64, ready bool) {
	ready = n.group.Joined()
	if n.cfg.StandbyEvery == 0 {
		return 0, ready
	}
	for shard := range n.layout.ShardCount {
		if !n.keeps(shard) {
			continue
		}
		if of := n.standbyLags[shard].Load(); of >= 0 {
			lag += of
			continue
		}
		ready = false
		lag += n.restoring[shard].Load()
	}
	return lag, ready
}

// move serves under another layout. Commands that come from now on wait for the next generation's owners, and so do
// those that the former generation has not decided.
func (r *Replica) move(ctx context.Context, layout eventlog.Layout) error {
	began := time.Now()
	if r.next != nil && r.next.layout != layout {
		r.dropNext("another one counts now")
	}
	next := r.next
	if next == nil {
		var err error
		if next, err = r.newNode(ctx, layout); err != nil {
			return err
		}
		if err := next.join(ctx, false); err != nil {
			return err
		}
	}
	r.next = nil
	former := r.Node()
	next.started.Store(true) // commands wait
	former.successor.Store(next)
	r.serves(next)
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout)
	defer cancel()
	if err := former.close(release); err != nil {
		r.log.Warn("the former generation was not left in order; its shards are fenced", "error", err)
	}
	released := time.Since(began)
	for {
		err := next.listen()
		if err == nil {
			break
		}
		r.log.Error("listen for the other replicas", "error", err)
		if backoff.Sleep(ctx, reacquireBackoff) != nil {
			return ctx.Err()
		}
	}
	next.serve()
	r.log.Info("serving under another layout", "generation", layout.Generation, "shards", layout.ShardCount,
		"released", released.String())
	return nil
}

// awaitFormer waits until all replicas have released the shards of the former generation, so that what they have begun
// is committed and not fenced.
func (n *Node) awaitFormer(ctx context.Context) {
	if n.before.Generation == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, formerWait)
	defer cancel()
	for {
		members, err := n.client.Replicas(ctx, n.before.Generation)
		if err == nil && len(members) == 0 || backoff.Sleep(ctx, formerPoll) != nil {
			return
		}
	}
}

// plannedFile in the data folder has the layout that the checkpoints of the newest generation were built for. A plan
// that was given up may have been for another number of shards.
const plannedFile = "layout.json"

// forgetOther deletes the checkpoints of the layout's generation if they were built for another layout.
func (r *Replica) forgetOther(layout eventlog.Layout) error {
	path := filepath.Join(r.cfg.DataDir, plannedFile)
	var had eventlog.Layout
	text, err := os.ReadFile(path)
	if err == nil {
		_ = json.Unmarshal(text, &had) // one that cannot be read is none
	}
	if had == layout || had.Generation > layout.Generation { // one that is planned may yet come
		return nil
	}
	entries, err := os.ReadDir(r.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	for _, e := range entries {
		generation, ok := checkpoint.GenerationOf(e.Name())
		if !ok || generation != layout.Generation || generation != had.Generation {
			continue
		}
		if err := checkpoint.Delete(filepath.Join(r.cfg.DataDir, e.Name())); err != nil {
			return err
		}
	}
	value, err := json.Marshal(layout)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(value, '\n'), 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}
