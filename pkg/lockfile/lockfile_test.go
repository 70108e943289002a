package lockfile_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/lockfile"
)

func TestOneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := lockfile.Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockfile.Acquire(path); !errors.Is(err, lockfile.ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := lockfile.AcquireWait(short, path); !errors.Is(err, lockfile.ErrLocked) {
		t.Errorf("a second lock, after waiting: %v", err)
	}
	second := make(chan error)
	go func() {
		release, err := lockfile.AcquireWait(context.Background(), path)
		if err == nil {
			release()
		}
		second <- err
	}()
	release()
	if err := <-second; err != nil {
		t.Errorf("a lock that was released: %v", err)
	}
	_, err = lockfile.Acquire(filepath.Join(path, "below a file"))
	if err == nil || errors.Is(err, lockfile.ErrLocked) {
		t.Errorf("a file that cannot be created: %v", err)
	}
}
