// Package backoff has the pauses between attempts: a sleep that ends with its context, and a pause that doubles with
// each failure. It imports only the standard library, so that every package may use it.
package backoff

import (
	"context"
	"time"
)

// Sleep waits for d. It returns early with the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Backoff gives the pauses between failed attempts: First, and then twice the one before, up to Longest. It is for one
// goroutine. For example, Backoff{First: time.Second, Longest: 5 * time.Second} gives 1 s, 2 s, 4 s, 5 s, 5 s.
type Backoff struct {
	First, Longest time.Duration

	next time.Duration // 0: First
}

// StoreFirst and StoreLongest are the pauses of whoever works with Kafka or ClickHouse, and waits for them.
const (
	StoreFirst   = 250 * time.Millisecond
	StoreLongest = 10 * time.Second
)

// ForStores gives StoreFirst, and so on up to StoreLongest.
func ForStores() Backoff { return Backoff{First: StoreFirst, Longest: StoreLongest} }

// Next returns the next pause, for a caller that reports it before it sleeps.
func (b *Backoff) Next() time.Duration {
	pause := max(b.next, b.First)
	b.next = min(2*pause, b.Longest)
	return pause
}

// Sleep waits for the next pause. It returns early with the context's error.
func (b *Backoff) Sleep(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Reset starts again from First, after an attempt that worked for long enough.
func (b *Backoff) Reset() { b.next = 0 }
