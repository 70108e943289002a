package access

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Principal is who asked for something.
type Principal struct {
	Name string
	// Verified: a key has proved it. Otherwise it is what the client says.
	Verified bool
	// KeyID is that of the API key that has proved it; empty: none has.
	KeyID string
}

// Key is an API key, without its secret. It never changes: a key that is revoked is another Key with the same ID.
type Key struct {
	ID, Name  string
	Scopes    Scopes
	CreatedAt time.Time
	CreatedBy Principal
	// ExpiresAt is from when on the key is refused; zero: it does not expire.
	ExpiresAt time.Time
	// RevokedAt is when it was revoked; zero: it was not.
	RevokedAt time.Time
	RevokedBy Principal

	hash hash
	// newer: a later release has written of the key what this one does not know. It may be allowed less than it seems.
	newer bool
	// usedAt is when this process took the key last, in seconds; 0: never.
	usedAt *atomic.Int64
}

// Principal is whom requests with the key come from.
func (k *Key) Principal() Principal { return Principal{Name: k.Name, Verified: true, KeyID: k.ID} }

// Status says whether a key is taken.
type Status string

// The statuses.
const (
	Active  Status = "active"
	Expired Status = "expired"
	Revoked Status = "revoked"
	// Unreadable is a key that this release cannot judge, and so refuses: a later one has made or changed it.
	Unreadable Status = "unreadable"
)

// Status is that at a time.
func (k *Key) Status(at time.Time) Status {
	switch {
	case !k.RevokedAt.IsZero():
		return Revoked
	case k.newer:
		return Unreadable
	case !k.ExpiresAt.IsZero() && !at.Before(k.ExpiresAt):
		return Expired
	}
	return Active
}

// state is what follows from the changes so far. It never changes: apply makes another one.
type state struct {
	byID map[string]*Key
	// byRequest has the IDs of keys by the idempotency key of the request that made them.
	byRequest map[string]string
	order     []string // the IDs, the oldest key first
}

func (s *state) clone() *state {
	return &state{byID: maps.Clone(s.byID), byRequest: maps.Clone(s.byRequest), order: slices.Clip(s.order)}
}

// apply changes the state by a record. One that makes a key which there is, or changes one that there is not, has no
// effect, for every reader alike.
func (s *state) apply(c *eventv1.KeyChange) {
	at := time.UnixMicro(c.GetChangedAtMicros()).UTC()
	by := Principal{Name: c.GetBy().GetName(), Verified: c.GetBy().GetVerified(), KeyID: c.GetByKeyId()}
	old := s.byID[c.GetKeyId()]
	switch change := c.GetChange().(type) {
	case *eventv1.KeyChange_Created:
		created := change.Created
		_, repeated := s.byRequest[created.GetIdempotencyKey()]
		if old == nil && !repeated {
			s.create(c.GetKeyId(), created, at, by)
		}
	case *eventv1.KeyChange_Revoked:
		if old != nil && old.RevokedAt.IsZero() {
			revoked := *old
			revoked.RevokedAt, revoked.RevokedBy = at, by
			s.byID[old.ID] = &revoked
		}
	default: // of a later release
		if old != nil {
			changed := *old
			changed.newer = true
			s.byID[old.ID] = &changed
		}
	}
}

func (s *state) create(id string, c *eventv1.KeyCreated, at time.Time, by Principal) {
	key := &Key{
		ID: id, Name: c.GetName(), Scopes: knownScopes(c.GetScopes()), CreatedAt: at, CreatedBy: by,
		newer:  len(c.ProtoReflect().GetUnknown()) > 0 || len(c.GetSha256()) != len(hash{}),
		usedAt: new(atomic.Int64),
	}
	copy(key.hash[:], c.GetSha256())
	if c.GetExpiresAtMicros() != 0 {
		key.ExpiresAt = time.UnixMicro(c.GetExpiresAtMicros()).UTC()
	}
	s.byID[id], s.order = key, append(s.order, id)
	if request := c.GetIdempotencyKey(); request != "" {
		s.byRequest[request] = id
	}
}

// active is how many keys are taken at a time.
func (s *state) active(at time.Time) (n int) {
	for _, key := range s.byID {
		if key.Status(at) == Active {
			n++
		}
	}
	return n
}
