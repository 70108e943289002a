package certs_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/certs"
)

// files are two that belong together: each holds the same name, which is that of the server.
type files struct {
	t         *testing.T
	one, two  string
	reads     int
	log       bytes.Buffer
	source    *certs.Source
	openError error
}

func newFiles(t *testing.T) *files {
	dir := t.TempDir()
	f := &files{t: t, one: filepath.Join(dir, "one"), two: filepath.Join(dir, "two")}
	f.write(f.one, "first")
	f.write(f.two, "first")
	f.source, f.openError = certs.New(slog.New(slog.NewTextHandler(&f.log, nil)), f.read, f.one, f.two)
	return f
}

// write replaces a file as whoever rotates certificates does: by another of its name.
func (f *files) write(file, content string) {
	f.t.Helper()
	if err := errors.Join(os.WriteFile(file+".new", []byte(content), 0o600), os.Rename(file+".new", file)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *files) read() (*tls.Config, error) {
	f.reads++
	one, errOne := os.ReadFile(f.one)
	two, errTwo := os.ReadFile(f.two)
	if err := errors.Join(errOne, errTwo); err != nil {
		return nil, err
	}
	if !bytes.Equal(one, two) {
		return nil, errors.New("they do not belong together")
	}
	return &tls.Config{ServerName: string(one), MinVersion: tls.VersionTLS13}, nil
}

func (f *files) has(name string) {
	f.t.Helper()
	if got := f.source.Config().ServerName; got != name {
		f.t.Errorf("%s is in use, want %s", got, name)
	}
}

func TestFilesAreReadWhenTheyChange(t *testing.T) {
	f := newFiles(t)
	if f.openError != nil {
		t.Fatal(f.openError)
	}
	f.has("first")
	f.has("first")
	if f.reads != 1 {
		t.Errorf("files that stayed as they were have been read %d times", f.reads)
	}
	f.write(f.one, "second")
	f.has("first") // halfway
	f.write(f.two, "second")
	f.has("second")
}

func TestFilesThatAreNoGoodAreToldOnceAndThoseBeforeStayInUse(t *testing.T) {
	f := newFiles(t)
	if err := os.Remove(f.two); err != nil {
		t.Fatal(err)
	}
	f.has("first")
	f.has("first")
	if n := strings.Count(f.log.String(), "level=ERROR"); n != 1 || !strings.Contains(f.log.String(), f.two) {
		t.Errorf("told %d times:\n%s", n, f.log.String())
	}
	f.write(f.two, "other")
	f.has("first")
	if n := strings.Count(f.log.String(), "level=ERROR"); n != 2 || !strings.Contains(f.log.String(), "do not belong together") {
		t.Errorf("told %d times:\n%s", n, f.log.String())
	}
	f.write(f.two, "first")
	f.has("first")
	f.write(f.one, "second")
	f.write(f.two, "second")
	f.has("second")
}

func TestTheFirstFilesMustBeGood(t *testing.T) {
	f := newFiles(t)
	f.write(f.one, "other")
	if _, err := certs.New(slog.New(slog.DiscardHandler), f.read, f.one, f.two); err == nil {
		t.Error("they were taken")
	}
}
