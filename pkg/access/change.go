package access

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/input"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// MaxActiveKeys is how many keys may be taken at a time.
const MaxActiveKeys = 1_000

// Fault is why a key is not made. Member names the member of the request.
type Fault struct{ Member, Text string }

// Error implements error.
func (f *Fault) Error() string { return f.Member + " " + f.Text }

// RepeatedError says that a request has made its key already. Its secret was in the answer to the first one.
type RepeatedError struct{ Key *Key }

// Error implements error.
func (e *RepeatedError) Error() string {
	return "this request has made the key " + e.Key.ID + " already, and its secret was in the first answer"
}

// TooManyKeysError says that there is no room for one more key.
type TooManyKeysError struct{}

// Error implements error.
func (*TooManyKeysError) Error() string {
	return fmt.Sprintf("there are %d active keys, and may not be more: revoke those that nobody uses", MaxActiveKeys)
}

// NewKey is a key to make.
type NewKey struct {
	Name      string
	Scopes    Scopes
	ExpiresAt time.Time // zero: it does not expire
	By        Principal
	// Request is the idempotency key of the request; empty: it has none.
	Request string
}

// Check says what is wrong with the key, a *Fault; nil: nothing.
func (n *NewKey) Check(now time.Time) error {
	if fault := input.ActorFault(n.Name); fault != "" { // events name who asks by the name of the key
		return &Fault{"name", fault}
	}
	if n.Scopes == 0 {
		return &Fault{"scopes", "must name at least one scope: " + strings.Join(scopeNames, ", ")}
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		return &Fault{"expires_at", "is not after now"}
	}
	return nil
}

// Create makes a key, and returns once this process takes it. The text is the key itself: nobody can read it later.
// Run must be running, and Ready must be nil.
func (k *Keys) Create(ctx context.Context, n NewKey) (text string, key *Key, err error) {
	now := time.Now()
	if err := n.Check(now); err != nil {
		return "", nil, err
	}
	if id, made := k.state.Load().byRequest[n.Request]; made {
		return "", nil, &RepeatedError{k.Key(id)}
	}
	if k.state.Load().active(now) >= MaxActiveKeys {
		return "", nil, &TooManyKeysError{}
	}
	text, id := newText(k.Env())
	sum := hashOf(text)
	created := &eventv1.KeyCreated{
		Name: n.Name, Sha256: sum[:], Scopes: n.Scopes.Names(), IdempotencyKey: n.Request,
	}
	if !n.ExpiresAt.IsZero() {
		created.ExpiresAtMicros = n.ExpiresAt.UnixMicro()
	}
	err = k.write(ctx, &eventv1.KeyChange{
		KeyId: id, ChangedAtMicros: now.UnixMicro(), By: principalOf(n.By), ByKeyId: n.By.KeyID,
		Change: &eventv1.KeyChange_Created{Created: created},
	})
	if err != nil {
		return "", nil, err
	}
	if key = k.Key(id); key == nil || key.hash != sum { // another replica was faster with the same request
		return "", nil, &RepeatedError{k.Key(k.state.Load().byRequest[n.Request])}
	}
	return text, key, nil
}

// Revoke refuses a key from now on, and returns once this process does. It reports whether there is such a key. One
// that is revoked already stays as it is.
func (k *Keys) Revoke(ctx context.Context, id string, by Principal) (found bool, err error) {
	key := k.Key(id)
	if key == nil || !key.RevokedAt.IsZero() {
		return key != nil, nil
	}
	return true, k.write(ctx, &eventv1.KeyChange{
		KeyId: id, ChangedAtMicros: time.Now().UnixMicro(), By: principalOf(by), ByKeyId: by.KeyID,
		Change: &eventv1.KeyChange_Revoked{Revoked: &eventv1.KeyRevoked{}},
	})
}

// write appends a change, and waits until it was read.
func (k *Keys) write(ctx context.Context, change *eventv1.KeyChange) error {
	value, err := change.MarshalVT()
	if err != nil {
		return fmt.Errorf("a change of an API key: %w", err)
	}
	return k.Append(ctx, change.GetKeyId(), value)
}

func principalOf(p Principal) *eventv1.Principal {
	if p.Name == "" {
		return nil
	}
	return &eventv1.Principal{Name: p.Name, Verified: p.Verified}
}
