package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast/holdfast/pkg/devstack/internal/lockfile"
)

// lockDir keeps a second process out of a data directory; two would destroy it. It does nothing for the empty
// directory name.
func lockDir(dir string) (unlock func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("embedded kafka: data directory: %w", err)
	}
	// Beside the data: the broker owns what is inside.
	unlock, err = lockfile.Take(filepath.Clean(dir) + ".lock")
	if errors.Is(err, lockfile.ErrTaken) {
		return nil, fmt.Errorf("embedded kafka: another process uses the data directory %s; stop it or choose another", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: data directory: %w", err)
	}
	return unlock, nil
}
