package lockfile_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/internal/lockfile"
)

func TestOneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := lockfile.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockfile.Take(path); !errors.Is(err, lockfile.ErrTaken) {
		t.Errorf("the second holder: %v", err)
	}
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := lockfile.Await(short, path); !errors.Is(err, lockfile.ErrTaken) {
		t.Errorf("the second holder, after a while: %v", err)
	}
	second := make(chan error)
	go func() {
		release, err := lockfile.Await(context.Background(), path)
		if err == nil {
			release()
		}
		second <- err
	}()
	release()
	if err := <-second; err != nil {
		t.Errorf("once it is free: %v", err)
	}
	if _, err := lockfile.Take(filepath.Join(path, "below a file")); err == nil || errors.Is(err, lockfile.ErrTaken) {
		t.Errorf("a file that cannot be: %v", err)
	}
}
