package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func offsets(t testing.TB, s string) eventlog.Offsets { return position(t, s).Offsets() }

func TestWatermarkWait(t *testing.T) {
	for _, tc := range []struct {
		name, wanted string
		advances     []string // the last one satisfies
	}{
		{"the beginning is reached at once", "", []string{""}},
		{"one partition", "o1.5", []string{"o1.4", "o2.9", "i1.9", "o1.5"}},
		{"further than wanted", "o1.5", []string{"o1.9"}},
		{"two partitions, in order", "o1.5~i2.7", []string{"o1.5", "i2.7"}},
		{"two partitions, the other way round", "o1.5~i2.7", []string{"i2.7", "o1.5"}},
		{"both at once", "o1.5~i2.7", []string{"o1.4~i2.6", "o1.5~i2.7"}},
		{"lower offsets do not count", "o1.5", []string{"o1.4", "o1.3", "o1.5"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := eventlog.NewWatermark()
				released := false
				go func() {
					if err := w.Wait(t.Context(), position(t, tc.wanted)); err != nil {
						t.Error(err)
					}
					released = true
				}()
				for i, advance := range tc.advances {
					synctest.Wait()
					if released && tc.wanted != "" {
						t.Fatalf("released before %s", tc.advances[i])
					}
					w.Advance(offsets(t, advance))
				}
				synctest.Wait()
				if !released {
					t.Errorf("not released at %s", w.Reached())
				}
				if !w.Reached().Reaches(position(t, tc.wanted)) {
					t.Errorf("reached %s", w.Reached())
				}
			})
		})
	}
}

func TestWatermarkWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := eventlog.NewWatermark()
		var wg sync.WaitGroup
		cancelled, cancel := context.WithCancel(t.Context())
		for i := range 100 {
			ctx, want := t.Context(), error(nil)
			if i%2 == 0 {
				ctx, want = cancelled, context.Canceled
			}
			wg.Go(func() {
				if err := w.Wait(ctx, position(t, fmt.Sprintf("o%d.%d", i%3, 10+i))); !errors.Is(err, want) {
					t.Errorf("waiter %d: %v, want %v", i, err, want)
				}
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		w.Advance(offsets(t, "o0.1000~o1.1000~o2.1000"))
		wg.Wait()
		if got := eventlog.WaitingPartitions(w); got != 0 {
			t.Errorf("%d partitions still have waiters", got)
		}
	})
}

func TestWatermarkWithAThousandWaiters(t *testing.T) {
	const waiters, partitions, last = 1000, 8, 500
	w := eventlog.NewWatermark()
	ctx := logtest.Context(t)
	var wg sync.WaitGroup
	for i := range waiters {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range 20 {
				p := position(t, fmt.Sprintf("o%d.%d", random.IntN(partitions), 1+random.IntN(last))).
					Merge(position(t, fmt.Sprintf("i%d.%d", random.IntN(partitions), 1+random.IntN(last))))
				if err := w.Wait(ctx, p); err != nil {
					t.Errorf("waiting for %s at %s: %v", p, w.Reached(), err)
					return
				}
				if !w.Reached().Reaches(p) {
					t.Errorf("released before %s", p)
				}
			}
		})
	}
	for partition := range int32(partitions) {
		for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
			wg.Go(func() {
				for end := int64(1); end <= last; end++ {
					w.Advance(eventlog.Offsets{{Topic: topic, Partition: partition}: end})
				}
			})
		}
	}
	wg.Wait()
	if got := eventlog.WaitingPartitions(w); got != 0 {
		t.Errorf("%d partitions still have waiters", got)
	}
}

// BenchmarkWatermark advances past waiters that come and go: one operation is one wait.
func BenchmarkWatermark(b *testing.B) {
	for _, waiters := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("waiters=%d", waiters), func(b *testing.B) {
			b.ReportAllocs()
			w := eventlog.NewWatermark()
			end := int64(0)
			var wg sync.WaitGroup
			for done := 0; done < b.N; done += waiters {
				end++
				p := eventlog.PositionOf(eventlog.Offsets{orders0: end})
				for range waiters {
					wg.Go(func() { _ = w.Wait(context.Background(), p) })
				}
				w.Advance(eventlog.Offsets{orders0: end})
				wg.Wait()
			}
		})
	}
}
