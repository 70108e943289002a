package chdb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast/holdfast/pkg/lockfile"
)

const content = "the library"

// packageWith is an npm package with one file of that name.
func packageWith(t *testing.T, name string) []byte {
	t.Helper()
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	files := tar.NewWriter(compressed)
	if err := files.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(files, content); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(files.Close(), compressed.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// fetcherOf is a fetcher for that package, with a shell script in npm's place. Empty: a script that succeeds and counts
// its calls.
func fetcherOf(t *testing.T, pkg []byte, script string) *fetcher {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	npm := filepath.Join(dir, "npm")
	if script == "" {
		script = "echo x >> " + dir + "/calls; cp " + source + " package.tgz"
	}
	err := errors.Join(os.WriteFile(source, pkg, 0o644), os.WriteFile(npm, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	sum, library := sha512.Sum512(pkg), sha256.Sum256([]byte(content))
	return &fetcher{
		build: build{
			pkg:         "a-package",
			integrity:   "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
			packedBytes: 3_000_000,
			file:        "package/library",
			sha256:      hex.EncodeToString(library[:]),
		},
		dir:              filepath.Join(dir, "cache"),
		npm:              npm,
		progress:         io.Discard,
		progressInterval: time.Millisecond,
	}
}

func TestFetchOnceForAll(t *testing.T) {
	f := fetcherOf(t, packageWith(t, "package/library"), "")
	var said bytes.Buffer
	f.progress = &said
	var group errgroup.Group
	paths := make([]string, 8)
	for i := range paths {
		group.Go(func() (err error) {
			paths[i], err = f.library(context.Background())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	for _, path := range paths {
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if calls, _ := os.ReadFile(filepath.Join(filepath.Dir(f.dir), "calls")); string(calls) != "x\n" {
		t.Errorf("npm was called %d times", len(calls)/2)
	}
	if !strings.Contains(said.String(), "fetching a-package") || !strings.Contains(said.String(), "ready") {
		t.Errorf("progress: %s", said.String())
	}
	if left, _ := filepath.Glob(filepath.Join(f.dir, "fetch-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFetchClearsUpAfterOneThatWasKilled(t *testing.T) {
	f := fetcherOf(t, packageWith(t, "package/library"), "")
	leftover := filepath.Join(f.dir, "fetch-1", "library")
	if err := errors.Join(os.MkdirAll(leftover, 0o755), os.WriteFile(f.path(), []byte("the"), 0o755)); err != nil {
		t.Fatal(err)
	}
	path, err := f.library(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != content {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover folder is still there: %v", err)
	}
}

func TestFetchSaysWhatToDo(t *testing.T) {
	good := packageWith(t, "package/library")
	for name, c := range map[string]struct {
		fetcher *fetcher
		want    string
	}{
		"no npm":         {withNpm(fetcherOf(t, good, ""), "/no/npm"), "no such file"},
		"npm fails":      {fetcherOf(t, good, "echo 404 not found >&2; exit 1"), "404 not found"},
		"npm is silent":  {fetcherOf(t, good, "exit 0"), "left 0 packages"},
		"other package":  {fetcherOf(t, good, "echo something else > package.tgz"), "than was pinned"},
		"not a package":  {fetcherOf(t, []byte("not a package at all"), ""), "gzip"},
		"without a file": {fetcherOf(t, packageWith(t, "package/other"), ""), "package/library is not in the package"},
	} {
		_, err := c.fetcher.library(context.Background())
		if err == nil {
			t.Errorf("%s: it succeeded", name)
			continue
		}
		for _, want := range []string{c.want, "Install npm", c.fetcher.path(), "--clickhouse DSN"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
		if c.fetcher.verified() {
			t.Errorf("%s: there is a library", name)
		}
	}
}

func withNpm(f *fetcher, npm string) *fetcher {
	f.npm = npm
	return f
}

// putByHand puts a library into the cache, as a user without npm does.
func putByHand(t *testing.T, f *fetcher, content string, modified time.Time) {
	t.Helper()
	err := errors.Join(
		os.MkdirAll(f.dir, 0o755),
		os.WriteFile(f.path(), []byte(content), 0o755),
		os.Chtimes(f.path(), modified, modified))
	if err != nil {
		t.Fatal(err)
	}
}

// A library that was put into the cache by hand is verified once, and again when it has changed.
func TestALibraryThatIsThereIsCheckedOnce(t *testing.T) {
	f := fetcherOf(t, nil, "echo no npm here >&2; exit 1")
	var said bytes.Buffer
	f.progress = &said
	f.progressInterval = time.Hour // one message for each check, however slow the machine is
	modified := time.Now().Add(-time.Hour)
	wantChecks := func(want int) {
		t.Helper()
		if _, err := f.library(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(said.String(), "checking "+f.path()); n != want {
			t.Errorf("it was checked %d times, want %d: %s", n, want, said.String())
		}
	}
	putByHand(t, f, content, modified)
	wantChecks(1)
	wantChecks(1)
	putByHand(t, f, content, modified.Add(time.Second))
	wantChecks(2)
	wantChecks(2)
}

func TestAnotherLibraryIsNotTaken(t *testing.T) {
	another := strings.ToUpper(content) // of the same size
	f := fetcherOf(t, nil, "echo no npm here >&2; exit 1")
	putByHand(t, f, another, time.Now())
	_, err := f.library(context.Background())
	for _, want := range []string{
		f.path() + " is another file than was pinned",
		"no npm here",
		"put that file (SHA-256 " + f.build.sha256 + ")",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	f = fetcherOf(t, packageWith(t, "package/library"), "")
	putByHand(t, f, content, time.Now())
	if _, err := f.library(context.Background()); err != nil {
		t.Fatal(err)
	}
	putByHand(t, f, another, time.Now().Add(time.Second)) // after the stamp was written
	path, err := f.library(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("%q, %v", got, err)
	}
	f.build.sha256 = strings.Repeat("0", 64)
	_, err = f.library(context.Background())
	if err == nil || !strings.Contains(err.Error(), "is another file than was pinned") {
		t.Errorf("a package with another library: %v", err)
	}
}

// watchedBuffer calls found when its content contains text.
type watchedBuffer struct {
	mu      sync.Mutex
	content strings.Builder
	text    string
	found   func()
}

func (w *watchedBuffer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.content.Write(b)
	if strings.Contains(w.content.String(), w.text) {
		w.found()
	}
	return len(b), nil
}

func TestFetchSaysHowFarItIs(t *testing.T) {
	// The script writes 2 MB into npm's cache, and continues when the progress message for that has been printed.
	const npm = `mkdir -p "$6/tmp"
head -c 2000000 /dev/zero > "$6/tmp/x"
while [ ! -f ../../seen ]; do sleep 0.01; done
cp ../../source package.tgz`
	for _, terminal := range []bool{true, false} {
		f := fetcherOf(t, packageWith(t, "package/library"), npm)
		seen := filepath.Join(filepath.Dir(f.dir), "seen")
		progress := &watchedBuffer{text: "2 of 3 MB", found: func() { _ = os.WriteFile(seen, nil, 0o644) }}
		f.progress, f.terminal = progress, terminal
		if _, err := f.library(t.Context()); err != nil {
			t.Fatal(err)
		}
		said := progress.content.String()
		if got := strings.Contains(said, "\rembedded ClickHouse: 2 of 3 MB"); got != terminal {
			t.Errorf("terminal %v: %q", terminal, said)
		}
		if strings.Contains(said, " s embedded") {
			t.Errorf("a message is in the same line as the progress: %q", said)
		}
	}
}

func TestFetchStopsWithItsContext(t *testing.T) {
	f := fetcherOf(t, packageWith(t, "package/library"), "exec sleep 1000")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.library(ctx); err == nil {
		t.Error("it succeeded")
	}
	// The wait for another process ends with the context, too.
	release, err := lockfile.Acquire(filepath.Join(f.dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := f.library(ctx); !errors.Is(err, lockfile.ErrLocked) {
		t.Errorf("while another fetches: %v", err)
	}
}

func TestFetchNeedsAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(cacheEnv, file)
	f, err := newFetcher(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.library(context.Background()); err == nil || !strings.Contains(err.Error(), "cache folder") {
		t.Errorf("a file in place of the folder: %v", err)
	}
	for name, spoil := range map[string]func(dir string) error{
		"a folder that is read only": func(dir string) error { return os.Chmod(dir, 0o555) },
		"a lock that is a folder":    func(dir string) error { return os.Mkdir(filepath.Join(dir, lockName), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			f := fetcherOf(t, packageWith(t, "package/library"), "")
			f.dir = t.TempDir()
			if err := spoil(f.dir); err != nil {
				t.Fatal(err)
			}
			if file, err := os.Create(filepath.Join(f.dir, lockName)); err == nil {
				_ = file.Close()
				t.Skip("this user may write regardless of file modes")
			}
			_, err := f.library(context.Background())
			for _, want := range []string{"the cache folder " + f.dir, "cannot be written", cacheEnv, "--clickhouse"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %s", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "another process") {
				t.Error(err)
			}
		})
	}
	t.Setenv(cacheEnv, "")
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if _, err := newFetcher(io.Discard); err == nil || !strings.Contains(err.Error(), cacheEnv) {
		t.Errorf("no folder: %v", err)
	}
}

func TestFetchKnowsPlatforms(t *testing.T) {
	_, err := fetcherFor("plan9/386", io.Discard)
	if !errors.Is(err, ErrNoBuild) || !strings.Contains(err.Error(), "plan9/386") {
		t.Errorf("plan9: %v", err)
	}
	for platform, b := range builds {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(b.integrity, "sha512-"))
		if err != nil || len(sum) != sha512.Size {
			t.Errorf("%s: integrity %s", platform, fmt.Sprint(err))
		}
		if sum, err = hex.DecodeString(b.sha256); err != nil || len(sum) != sha256.Size || b.packedBytes == 0 {
			t.Errorf("%s: SHA-256 %s, %d bytes", platform, fmt.Sprint(err), b.packedBytes)
		}
	}
}
