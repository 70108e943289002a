package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast/holdfast/pkg/devstack/internal/lockfile"
)

// lockDir makes this process the only user of a data directory: two brokers over one directory would destroy its log.
// It does nothing when dir is empty, that is, when the log is in memory.
func lockDir(dir string) (unlock func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("embedded kafka: data directory: %w", err)
	}
	// The lock file is a sibling of the directory, because the broker owns every file inside.
	unlock, err = lockfile.Acquire(filepath.Clean(dir) + ".lock")
	if errors.Is(err, lockfile.ErrLocked) {
		return nil, fmt.Errorf("embedded kafka: another process uses the data directory %s; stop it or choose another", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: data directory: %w", err)
	}
	return unlock, nil
}
