// Package lockfile keeps processes apart. A lock ends with its process, however that ends.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// ErrTaken says that another process holds the lock.
var ErrTaken = errors.New("another process holds the lock")

// poll is how often a lock is tried that another process holds.
const poll = 20 * time.Millisecond

// Take locks the file, which is made if need be, or returns ErrTaken.
func Take(path string) (release func(), err error) {
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
		return nil, ErrTaken
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// Await locks the file once nobody else holds it; ErrTaken when ctx ends first.
func Await(ctx context.Context, path string) (release func(), err error) {
	for {
		release, err := Take(path)
		if !errors.Is(err, ErrTaken) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, ErrTaken
		case <-time.After(poll):
		}
	}
}
