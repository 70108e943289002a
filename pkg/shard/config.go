package shard

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard/internal/peer"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Limits. Each bounds something that would otherwise grow with the load.
const (
	// MaxQueued commands wait for one shard; one beyond gets too_many_requests. Those of streams do not count: each stream
	// waits for its own. MaxQueuedOfStream of one stream wait for one shard, which is more than a stream has under way.
	MaxQueued         = 16_384
	MaxQueuedOfStream = 8_192
	// MaxQueuedMessages of other shards (steps, queries, and their answers) wait for one shard, beside the commands: the
	// orders that commands wait for must be able to end. One beyond is dropped and resent later.
	MaxQueuedMessages = 65_536
	// MaxBatchCommands and MaxBatchBytes bound one transaction.
	MaxBatchCommands = 2_000
	MaxBatchBytes    = 4 << 20
	// MaxFrameMessages bounds one frame between replicas; no message is added to a frame beyond MaxFrameBytes.
	MaxFrameMessages = peer.MaxFrameMessages
	MaxFrameBytes    = peer.MaxFrameBytes
	// MaxOpenSagas orders of a shard wait for stock of other shards; new orders beyond get too_many_requests.
	MaxOpenSagas = 32_768
	// MaxPeerQueued messages, or MaxPeerQueuedBytes, wait for one peer. Beyond that a command gets too_many_requests, a
	// step is dropped and resent later, and a stream with as many answers waiting is not read any more.
	MaxPeerQueued      = peer.MaxQueued
	MaxPeerQueuedBytes = peer.MaxQueuedBytes

	// A checkpoint is due after saveEvery, or when saveUnsaved entries have changed.
	saveEvery       = 250 * time.Millisecond
	saveUnsaved     = 32_768
	heartbeatEvery  = time.Minute
	firstSweepAfter = 2 * time.Second
	sweepEvery      = 5 * time.Minute
	// A shard that could not be acquired is tried again after reacquireBackoff, then after twice as long each time. One
	// that was served for healthyAfter begins at the first pause again.
	reacquireBackoff = 200 * time.Millisecond
	reacquireAtMost  = 2 * time.Second
	healthyAfter     = 10 * time.Second
)

// DefaultStandbys of each shard: one can fail, or be replaced, while the shard's owner does.
const DefaultStandbys = 2

// DecodeFunc turns a command's JSON into its typed form, for commands that another replica handed over, or whose order
// has another ID than they name. Its error is the sender's bug or a version skew: the sender validated the same bytes.
type DecodeFunc func(typ, id, key string, body []byte, receivedAtMicros int64) (*Command, error)

// PeerTLS names the PEM files with which replicas authenticate each other and encrypt their streams.
type PeerTLS = peer.TLS

// Config is what a node needs.
type Config struct {
	Log eventlog.Config
	// Want is the layout to create on an empty platform.
	Want eventlog.Layout
	// DataDir has the checkpoints; deleting it costs a longer restart and nothing else.
	DataDir string
	// Platform is told the ID of the platform before anything in DataDir is used. Its error ends the start: the folder
	// is another platform's. nil: nobody asks.
	Platform func(id string) error
	// PeerListen is where other replicas reach this one; empty: a single replica. Advertise is what they are told;
	// empty: the address that is listened on.
	PeerListen, Advertise string
	// PeerTLS has replicas authenticate each other; the zero value: they talk in plain text, to anybody.
	PeerTLS PeerTLS
	// SessionTimeout of the ownership group; 0: the event log's default.
	SessionTimeout time.Duration
	// StandbyEvery is how often the checkpoints of shards that other replicas serve follow the log, so that acquiring one
	// means reading what came since. 0: never; acquiring a shard that this replica never had means reading all of its log.
	StandbyEvery time.Duration
	// Standbys is how many other replicas keep such a checkpoint of each shard, where there are as many; 0:
	// DefaultStandbys. The replica that leads the group of replicas decides for all.
	Standbys int
	// MaxQueueWait is how long a command may have to wait for its shard; one that would wait longer is refused at once. 0:
	// however long. Commands on streams are never refused for that.
	MaxQueueWait time.Duration
	// CheckpointMemory is about how many bytes of memory the checkpoints of all shards together may take, beside what is
	// fixed for each; 0: as much as they can use.
	CheckpointMemory int64
	// MaxClockSkew is how far this replica's clock may be from the brokers' while it serves a shard; 0: nobody compares
	// them.
	MaxClockSkew time.Duration
	// Clock is that clock; nil: time.Now.
	Clock func() time.Time
	// PaymentWindow is how long an order waits for its payment where no command begins that: once stock has answered an
	// amendment that costs more, or was found to have shipped what is not paid; 0: limits.DefaultPaymentWindow.
	PaymentWindow time.Duration
	// Places is what the catalogue says of locations; nil: any name is one. Whoever starts a node has it read first.
	Places inventory.Places
	// CommandTypes are the types of commands that metrics tell apart; others count as one.
	CommandTypes []string
	// Decode decodes the commands of other replicas.
	Decode     DecodeFunc
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Tracer makes spans of the commits of commands with a TraceParent; nil: nobody traces.
	Tracer *tracing.Tracer
	Hooks  Hooks
}

// Hooks let tests disturb a node; all may be nil.
type Hooks struct {
	// Deliver is called with a function that sends a step, a query, or an answer to one between shards. It may call that
	// never, twice, later, or behind another.
	Deliver func(send func())
	// Acquire is called before each phase of acquiring a shard, and as the log is read for it.
	Acquire func(shard int32, phase string)
}

func (h Hooks) deliver(send func()) {
	if h.Deliver == nil {
		send()
		return
	}
	h.Deliver(send)
}

func (h Hooks) acquire(shard int32, phase string) {
	if h.Acquire != nil {
		h.Acquire(shard, phase)
	}
}
