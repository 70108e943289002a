package localstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// DamagedError says that the files of a database are not as they were written: some are missing, cut short or changed.
// Whoever has it deletes the folder and builds the database again from the log.
type DamagedError struct {
	Dir string
	Err error
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the files in %s are damaged: %v", e.Dir, e.Err)
}

// Unwrap implements errors.Unwrap.
func (e *DamagedError) Unwrap() error { return e.Err }

// DiskError says that the disk of a database cannot be written or read.
type DiskError struct {
	Dir string
	Err error
}

// Error implements error.
func (e *DiskError) Error() string {
	remedy := "check the disk"
	switch {
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		remedy = "free space on it, or use a larger one"
	case errors.Is(e.Err, os.ErrPermission), errors.Is(e.Err, syscall.EROFS):
		remedy = "let this process write there"
	case errors.Is(e.Err, syscall.EMFILE), errors.Is(e.Err, syscall.ENFILE):
		remedy = "raise the limit of open files (ulimit -n)"
	}
	return fmt.Sprintf("the disk of %s cannot be used: %v; %s", e.Dir, e.Err, remedy)
}

// Unwrap implements errors.Unwrap.
func (e *DiskError) Unwrap() error { return e.Err }

// diskErrors are what a healthy database meets on a disk that is not.
var diskErrors = []error{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENODEV,
	syscall.ENXIO, os.ErrPermission,
}

// stillOpen is in Pebble's error, which has no type, when the database is open already: here, when an earlier use of it
// still waits for the disk.
const stillOpen = "lock held by current process"

// explain tells a disk that fails from damaged files, and both from other errors.
func explain(dir string, err error) error {
	if err == nil || isExplained(err) {
		return err
	}
	for _, cause := range diskErrors {
		if errors.Is(err, cause) {
			return &DiskError{dir, err}
		}
	}
	if pebble.IsCorruptionError(err) || errors.Is(err, os.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) {
		return &DamagedError{dir, err}
	}
	return err
}

// explainOpen is explain for the error of an attempt to open a database. What is not the disk's fault is the files'.
func explainOpen(dir string, err error) error {
	explained := explain(dir, err)
	switch {
	case err == nil:
		return nil
	case isExplained(explained):
		return explained
	case strings.Contains(err.Error(), stillOpen), errors.Is(err, syscall.EAGAIN): // this process, or another
		return &DiskError{dir, fmt.Errorf("it is in use: %w", err)}
	default:
		return &DamagedError{dir, err}
	}
}

func isExplained(err error) bool {
	_, damaged := errors.AsType[*DamagedError](err)
	_, disk := errors.AsType[*DiskError](err)
	return damaged || disk
}
