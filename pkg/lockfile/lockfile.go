// Package lockfile lets one process at a time use something, by a lock on a file. The operating system releases the
// lock when the process ends, also when it is killed.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrLocked says that another process has the lock.
var ErrLocked = errors.New("another process holds the lock")

// pollInterval is how often AcquireWait tries again. flock(2) can wait by itself, but not until a context ends.
const pollInterval = 20 * time.Millisecond

// Acquire locks the file and creates it if needed. It returns ErrLocked at once when another process has the lock.
func Acquire(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
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

// AcquireDir makes this process the only user of a data directory, and creates the directory if needed. If another
// process uses it, AcquireDir waits for that one to end, but at most for that long.
func AcquireDir(ctx context.Context, dir string, wait time.Duration) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	// The lock file is a sibling of the directory, because the broker or the engine owns every file inside.
	release, err = AcquireWait(ctx, filepath.Clean(dir)+".lock")
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("another process uses the data directory %s; stop it or choose another", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return release, nil
}
