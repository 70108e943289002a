package service

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// PrivateFiles lets only the user of this process read and write the files that it makes from now on: files are 0600
// and folders 0700, also those of libraries. Events have the names and addresses of customers.
func PrivateFiles() { syscall.Umask(0o077) }

// PrivateFolder makes a folder for data, and closes it to other users where it is there already. An earlier release may
// have made what is in it readable for all; through a closed folder nobody else reaches it.
func PrivateFolder(dir string) error {
	err := errors.Join(os.MkdirAll(dir, 0o700),
		os.Chmod(dir, 0o700)) //nolint:gosec // G302 means files: a folder needs its x
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}
