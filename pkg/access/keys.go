package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// changes is the topic's only partition.
var changes = eventlog.TopicPartition{Topic: eventlog.TopicKeys}

// Errors of requests. Nobody outside is told which of them it is: it is counted, by their texts.
var (
	// ErrNotRead says that the keys are not known yet.
	ErrNotRead = errors.New("the API keys are being read")
	// ErrMissing, ErrMalformed, ErrUnknown, ErrExpired, ErrRevoked and ErrScope say why a request is refused.
	ErrMissing   = errors.New("missing")
	ErrMalformed = errors.New("malformed")
	ErrUnknown   = errors.New("unknown")
	ErrExpired   = errors.New("expired")
	ErrRevoked   = errors.New("revoked")
	ErrScope     = errors.New("scope")
)

// Keys follows what becomes of the keys, and finds the key of a request.
type Keys struct {
	client  *eventlog.Client
	logger  *slog.Logger
	metrics *metrics
	state   atomic.Pointer[state]
	// isCurrent is true once all changes are in state that there were at the start. What comes later is not missed: it is
	// read when Kafka answers again.
	isCurrent atomic.Bool

	mu      sync.Mutex
	next    int64 // the offset after the newest change that is in state
	fault   error
	changed chan struct{} // closed when state or next changes
}

// Open returns the keys of the platform that cfg reaches. It reads nothing yet: Run does, and closes them at its end.
func Open(cfg eventlog.Config) (*Keys, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.ClientID += "-keys"
	client, err := eventlog.Open(cfg)
	if err != nil {
		return nil, err
	}
	k := &Keys{client: client, logger: cfg.Logger, changed: make(chan struct{})}
	k.state.Store(&state{byID: map[string]*Key{}, byRequest: map[string]string{}})
	if k.metrics, err = newMetrics(k, cfg.Registerer); err != nil {
		client.Close()
		return nil, err
	}
	return k, nil
}

// Ready returns nil once all keys are known that there were at the start.
func (k *Keys) Ready() error {
	if k.isCurrent.Load() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fault != nil {
		return fmt.Errorf("the API keys: %w", k.fault)
	}
	return ErrNotRead
}

// Run follows the topic until ctx is done. While Kafka is away the keys that are known are taken, and it tries again.
func (k *Keys) Run(ctx context.Context) error {
	defer k.client.Close()
	pauses := backoff.ForStores()
	for {
		err := k.follow(ctx, pauses.Reset)
		if ctx.Err() != nil {
			return nil
		}
		k.mu.Lock()
		k.fault = err
		k.mu.Unlock()
		pause := pauses.Next()
		k.logger.Error("the API keys cannot be read", "error", err, "again_in", pause)
		if backoff.Sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// follow reads changes until the first error.
func (k *Keys) follow(ctx context.Context, read func()) error {
	end, err := k.client.StableOffsets(ctx, []eventlog.TopicPartition{changes})
	if err != nil {
		return err
	}
	k.mu.Lock()
	from := k.next
	k.mu.Unlock()
	if from > end[changes] {
		return fmt.Errorf("%s ends at %d, but was read up to %d: it was made again; restart the services that read it",
			changes.Topic, end[changes], from)
	}
	follower, err := k.client.Follow(eventlog.Offsets{changes: from})
	if err != nil {
		return err
	}
	defer follower.Close()
	k.read(nil, from, end[changes])
	for {
		records, reached, err := follower.Poll(ctx)
		if err != nil {
			return err
		}
		read()
		k.read(records, reached[changes], end[changes])
	}
}

// read applies records. The state is copied once for all of them.
func (k *Keys) read(records []eventlog.Record, next, end int64) {
	state := k.state.Load()
	if len(records) > 0 {
		state = state.clone()
	}
	for _, rec := range records {
		var change eventv1.KeyChange
		if err := change.UnmarshalVT(rec.Value); err != nil {
			k.logger.Error("a record is no change of an API key, and is passed", "offset", rec.Offset, "error", err)
			continue
		}
		state.apply(&change)
	}
	k.state.Store(state)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fault, k.next = nil, max(k.next, next)
	if k.next >= end {
		k.isCurrent.Store(true)
	}
	close(k.changed)
	k.changed = make(chan struct{})
}

// Find returns the key whose text this is, if it is taken now. It does not allocate.
func (k *Keys) Find(text string) (*Key, error) {
	if !k.isCurrent.Load() {
		return nil, ErrNotRead
	}
	id, ok := idOf(text)
	if !ok {
		return nil, ErrMalformed
	}
	key := k.state.Load().byID[id]
	if key == nil || !key.hash.equals(hashOf(text)) {
		return nil, ErrUnknown
	}
	now := time.Now()
	switch key.Status(now) {
	case Active:
	case Expired:
		return nil, ErrExpired
	default:
		return nil, ErrRevoked
	}
	if second := now.Unix(); key.usedAt.Load() != second { // many requests of a second write it once
		key.usedAt.Store(second)
	}
	return key, nil
}

// IsValid reports whether a key that Find returned some time ago is taken still.
func (k *Keys) IsValid(key *Key) bool {
	return k.state.Load().byID[key.ID] == key && key.Status(time.Now()) == Active
}

// All returns every key that there ever was, the oldest first.
func (k *Keys) All() []*Key {
	state := k.state.Load()
	all := make([]*Key, len(state.order))
	for i, id := range state.order {
		all[i] = state.byID[id]
	}
	return all
}

// Key returns a key by its ID; nil: there is none.
func (k *Keys) Key(id string) *Key { return k.state.Load().byID[id] }

// await waits until the record at an offset was read.
func (k *Keys) await(ctx context.Context, offset int64) error {
	for {
		k.mu.Lock()
		next, changed := k.next, k.changed
		k.mu.Unlock()
		if next > offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// AwaitReady waits until Ready returns nil.
func (k *Keys) AwaitReady(ctx context.Context) error {
	for {
		k.mu.Lock()
		changed := k.changed
		k.mu.Unlock()
		if k.isCurrent.Load() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(k.Ready(), ctx.Err())
		}
	}
}
