// Package certs makes TLS configurations from files, and makes them again when the files change, so that certificates
// are rotated without a restart. It does not know what the files are: the caller's function reads them, and decides
// what to ask of the other side.
package certs

import (
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// Source has the configuration for new connections. It is safe for concurrent use.
type Source struct {
	log   *slog.Logger
	read  func() (*tls.Config, error)
	files []string

	mu       sync.Mutex
	config   *tls.Config
	inUse    []os.FileInfo // the files just before config was read
	reported []os.FileInfo // the files at the last error, so that each error is logged once; nil: there was none
}

// New reads the files, which must be valid. read makes a configuration from them; it is called again when they change.
func New(log *slog.Logger, read func() (*tls.Config, error), files ...string) (*Source, error) {
	s := &Source{log: log, read: read, files: files}
	s.inUse = s.stat()
	var err error
	s.config, err = read()
	return s, err
}

// Config is the configuration for a new connection. Do not change it. Config looks whether the files have changed, and
// then reads them. If they are not valid, the former configuration stays in use.
func (s *Source) Config() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.stat() // before the read, so that a change during the read is noticed the next time
	if unchanged(now, s.inUse) {
		return s.config
	}
	config, err := s.read()
	switch {
	case err == nil:
		s.config, s.inUse = config, now
		s.log.Info("certificates have changed and are in use for new connections", "files", s.files)
	case s.reported == nil || !unchanged(now, s.reported):
		s.reported = now
		s.log.Error("certificates have changed and cannot be used; those before stay in use", "error", err)
	}
	return s.config
}

// stat returns the state of each file; nil for one that does not exist.
func (s *Source) stat() []os.FileInfo {
	infos := make([]os.FileInfo, len(s.files))
	for i, file := range s.files {
		if info, err := os.Stat(file); err == nil {
			infos[i] = info
		}
	}
	return infos
}

func unchanged(a, b []os.FileInfo) bool {
	return slices.EqualFunc(a, b, func(a, b os.FileInfo) bool {
		if a == nil || b == nil {
			return a == nil && b == nil
		}
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
	})
}
