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

// files is a source of two files that belong together: both contain the same server name.
type files struct {
	t         *testing.T
	cert, key string
	reads     int
	log       bytes.Buffer
	source    *certs.Source
	openError error
}

func newFiles(t *testing.T) *files {
	dir := t.TempDir()
	f := &files{t: t, cert: filepath.Join(dir, "cert"), key: filepath.Join(dir, "key")}
	f.write(f.cert, "first")
	f.write(f.key, "first")
	f.source, f.openError = certs.New(slog.New(slog.NewTextHandler(&f.log, nil)), f.read, f.cert, f.key)
	return f
}

// write replaces a file by renaming a new one, as tools that rotate certificates do.
func (f *files) write(file, content string) {
	f.t.Helper()
	if err := errors.Join(os.WriteFile(file+".new", []byte(content), 0o600), os.Rename(file+".new", file)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *files) read() (*tls.Config, error) {
	f.reads++
	cert, errCert := os.ReadFile(f.cert)
	key, errKey := os.ReadFile(f.key)
	if err := errors.Join(errCert, errKey); err != nil {
		return nil, err
	}
	if !bytes.Equal(cert, key) {
		return nil, errors.New("they do not belong together")
	}
	return &tls.Config{ServerName: string(cert), MinVersion: tls.VersionTLS13}, nil
}

func (f *files) has(name string) {
	f.t.Helper()
	if got := f.source.Config().ServerName; got != name {
		f.t.Errorf("%s is in use, want %s", got, name)
	}
}

// reported checks how many errors were logged, and that the log has the text.
func (f *files) reported(times int, text string) {
	f.t.Helper()
	log := f.log.String()
	if n := strings.Count(log, "level=ERROR"); n != times || !strings.Contains(log, text) {
		f.t.Errorf("%d errors were logged, want %d, and %q in:\n%s", n, times, text, log)
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
		t.Errorf("files that did not change were read %d times", f.reads)
	}
	f.write(f.cert, "second")
	f.has("first") // only one of the two files is new
	f.write(f.key, "second")
	f.has("second")
}

func TestInvalidFilesAreReportedOnceAndTheFormerStayInUse(t *testing.T) {
	f := newFiles(t)
	if err := os.Remove(f.key); err != nil {
		t.Fatal(err)
	}
	f.has("first")
	f.has("first")
	f.reported(1, f.key)
	f.write(f.key, "other")
	f.has("first")
	f.reported(2, "do not belong together")
	f.write(f.key, "first")
	f.has("first")
	f.write(f.cert, "second")
	f.write(f.key, "second")
	f.has("second")
}

func TestTheFirstFilesMustBeValid(t *testing.T) {
	f := newFiles(t)
	f.write(f.cert, "other")
	if _, err := certs.New(slog.New(slog.DiscardHandler), f.read, f.cert, f.key); err == nil {
		t.Error("they were accepted")
	}
}
