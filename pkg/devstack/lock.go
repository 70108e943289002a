package devstack

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir keeps a second process out of a data directory; two would destroy it. The lock ends with the process,
// however it ends. It does nothing for the empty directory name.
func lockDir(dir string) (unlock func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("embedded kafka: data directory: %w", err)
	}
	// Beside the data: the broker owns what is inside.
	f, err := os.OpenFile(filepath.Clean(dir)+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: lock of the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("embedded kafka: another process uses the data directory %s; stop it or choose another: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}
