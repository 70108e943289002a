// Package certs keeps TLS configurations that are made of files, and makes them anew when the files change: certificates
// are rotated without a restart. What the files are, and what is asked of the other side, is their user's to say.
package certs

import (
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// Source has the configuration for each new connection. It is safe for concurrent use.
type Source struct {
	log   *slog.Logger
	read  func() (*tls.Config, error)
	files []string

	mu     sync.Mutex
	config *tls.Config
	held   []os.FileInfo // the files as they were before config was read
	broken []os.FileInfo // the same, when that last failed: it is told once
}

// New reads the files, which must be good then. read makes a configuration of them, at any time.
func New(log *slog.Logger, read func() (*tls.Config, error), files ...string) (*Source, error) {
	s := &Source{log: log, read: read, files: files}
	s.held = s.stat()
	var err error
	s.config, err = read()
	return s, err
}

// Config is the configuration for a new connection; it is not to be changed. It asks for the state of the files, and
// reads those that have changed. If they are no good, the last ones that were stay in use.
func (s *Source) Config() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.stat() // before they are read: a change from then on shows
	if unchanged(now, s.held) {
		return s.config
	}
	config, err := s.read()
	switch {
	case err == nil:
		s.config, s.held = config, now
		s.log.Info("certificates have changed and are in use for new connections", "files", s.files)
	case s.broken == nil || !unchanged(now, s.broken):
		s.broken = now
		s.log.Error("certificates have changed and cannot be used; those before stay in use", "error", err)
	}
	return s.config
}

// stat has nil for a file that is not there.
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
