package backoff_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
)

func TestSleepLastsUnlessItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := backoff.Sleep(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("slept %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		err := backoff.Sleep(ctx, time.Minute)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("slept %s: %v", time.Since(began), err)
		}
	})
}

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	b := backoff.Backoff{First: time.Second, Longest: 5 * time.Second}
	want := []time.Duration{1, 2, 4, 5, 5}
	for range 2 {
		var got []time.Duration
		for range want {
			got = append(got, b.Next()/time.Second)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pauses of %d seconds, want %d", got, want)
		}
		b.Reset()
	}
}

func TestABackoffSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backoff.Backoff{First: time.Second, Longest: time.Minute}
		began := time.Now()
		for range 3 {
			if err := b.Sleep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if slept := time.Since(began); slept != 7*time.Second {
			t.Errorf("slept %s, want 7s", slept)
		}
	})
}
