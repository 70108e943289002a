package chdb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/internal/lockfile"
)

// version of the packages of libchdb.
const version = "26.7.3-stable.1"

// build is the library for one platform.
type build struct {
	pkg string
	// integrity is npm's: the SHA-512 of the package.
	integrity string
	// file in the package, and how long it is.
	file  string
	bytes int64
	// packed says how much is fetched.
	packed string
}

// builds by GOOS/GOARCH.
var builds = map[string]build{
	"linux/amd64": {
		pkg:       "@chdb/lib-linux-x64-gnu",
		integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		file:      "package/libchdb.so",
		bytes:     566330096,
		packed:    "178 MB",
	},
}

// cacheEnv names the folder that keeps the library, instead of the user's cache folder.
const cacheEnv = "HOLDFAST_CACHE"

// tempPrefix begins the names of the folders that are fetched into.
const tempPrefix = "fetch-"

// killDelay is given to npm to end when it is told to.
const killDelay = 5 * time.Second

// progressPause lies between signs of life while npm fetches.
const progressPause = 5 * time.Second

// fetcher gets the library once for this user.
type fetcher struct {
	build    build
	dir      string
	npm      string
	progress io.Writer
}

func newFetcher(progress io.Writer) (*fetcher, error) {
	return fetcherFor(runtime.GOOS+"/"+runtime.GOARCH, progress)
}

func fetcherFor(platform string, progress io.Writer) (*fetcher, error) {
	b, ok := builds[platform]
	if !ok {
		return nil, fmt.Errorf("there is no embedded ClickHouse for %s; use a server with --clickhouse DSN", platform)
	}
	dir := os.Getenv(cacheEnv)
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("there is no folder to keep the engine in; name one in %s: %w", cacheEnv, err)
		}
		dir = filepath.Join(cache, "holdfast")
	}
	return &fetcher{build: b, dir: dir, npm: "npm", progress: progress}, nil
}

// path is where the library is, or will be.
func (f *fetcher) path() string { return filepath.Join(f.dir, "libchdb-"+version+".so") }

func (f *fetcher) present() bool {
	info, err := os.Stat(f.path())
	return err == nil && info.Size() == f.build.bytes
}

// library returns the path of the library, fetching it first if need be. Processes that ask at the same time
// wait for the one that fetches.
func (f *fetcher) library(ctx context.Context) (string, error) {
	if f.present() {
		return f.path(), nil
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	release, err := lockfile.Await(ctx, filepath.Join(f.dir, "fetch.lock"))
	if err != nil {
		return "", fmt.Errorf("another process fetches the engine into %s: %w", f.dir, errors.Join(err, ctx.Err()))
	}
	defer release()
	if f.present() {
		return f.path(), nil
	}
	if err := f.fetch(ctx); err != nil {
		return "", fmt.Errorf("the engine, file %s of npm package %s@%s, cannot be had: %w\n"+
			"Install npm and try again, or put that file at %s, or use a server with --clickhouse DSN",
			f.build.file, f.build.pkg, version, err, f.path())
	}
	return f.path(), nil
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
	f.say("fetching %s@%s by npm, once, %s, into %s", f.build.pkg, version, f.build.packed, f.dir)
	if err := f.pack(ctx, temp); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(temp, "*.tgz"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("npm left %d packages where one was expected", len(packages))
	}
	f.say("checking and unpacking")
	unpacked := filepath.Join(temp, "library")
	if err := f.unpack(packages[0], unpacked); err != nil {
		return err
	}
	if err := os.Rename(unpacked, f.path()); err != nil {
		return err
	}
	f.say("ready at %s", f.path())
	return nil
}

// pack lets npm fetch the package, from the registry it is configured for.
func (f *fetcher) pack(ctx context.Context, temp string) error {
	npm := exec.CommandContext(ctx, f.npm, "pack", f.build.pkg+"@"+version, "--ignore-scripts", "--silent")
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
	for {
		select {
		case <-time.After(progressPause):
			f.say("still fetching after %.0f s", time.Since(begin).Seconds())
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("npm pack: %w\n%s", err, strings.TrimSpace(said.String()))
			}
			return nil
		}
	}
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
