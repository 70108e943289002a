package access

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

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
	*eventlog.Journal
	metrics *metrics
	state   atomic.Pointer[state]
}

// Open returns the keys of the platform that cfg reaches. It reads nothing yet: Run does, and closes them at its end.
func Open(cfg eventlog.Config) (*Keys, error) {
	cfg.ClientID += "-keys"
	k := &Keys{}
	k.state.Store(&state{byID: map[string]*Key{}, byRequest: map[string]string{}})
	var err error
	if k.Journal, err = eventlog.OpenJournal(cfg, eventlog.TopicKeys, "API keys", k.apply); err != nil {
		return nil, err
	}
	if k.metrics, err = newMetrics(k, cfg.Registerer); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// apply changes the state by records. It is copied once for all of them.
func (k *Keys) apply(records []eventlog.Record) {
	state := k.state.Load().clone()
	for _, rec := range records {
		var change eventv1.KeyChange
		if err := change.UnmarshalVT(rec.Value); err != nil {
			k.Logger().Error("a record is no change of an API key, and is passed", "offset", rec.Offset, "error", err)
			continue
		}
		state.apply(&change)
	}
	k.state.Store(state)
}

// Find returns the key whose text this is, if it is taken now. It does not allocate.
func (k *Keys) Find(text string) (*Key, error) {
	if !k.IsCurrent() {
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
