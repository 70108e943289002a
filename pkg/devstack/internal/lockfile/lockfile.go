// Package lockfile lets one process at a time use something, by a lock on a file. The operating system releases the
// lock when the process ends, also when it is killed.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// ErrLocked says that another process has the lock.
var ErrLocked = errors.New("another process holds the lock")

// pollInterval is how often AcquireWait tries again. flock(2) can wait by itself, but not until a context ends.
const pollInterval = 20 * time.Millisecond

// Acquire locks the file and creates it if needed. It returns ErrLocked at once when another process has the lock.
func Acquire(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return func() { _ = f.Close() }, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrLocked
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// AcquireWait is Acquire, but waits while another process has the lock. It returns ErrLocked when ctx ends first.
func AcquireWait(ctx context.Context, path string) (release func(), err error) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		release, err := Acquire(path)
		if !errors.Is(err, ErrLocked) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, ErrLocked
		case <-poll.C:
		}
	}
}
