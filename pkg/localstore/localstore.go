// Package localstore opens the Pebble databases that processes have on their own disk. Each is a cache of the event
// log: when its folder is deleted, it is built again from the log. The package owns the options of Pebble, and what is
// told of a disk that fails or of damaged files, not the contents.
package localstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The options of Pebble. Keys are random, because order IDs are hashes. So each compaction of new tables into the large
// level rewrites most of that level, and the options make compactions rare. The price is that a look-up asks a few more
// Bloom filters.
const (
	// MaxMemTableBytes limits how much of the log a restart folds again. With less than minMemTableBytes the disk would
	// have too many small tables.
	MaxMemTableBytes = 64 << 20
	minMemTableBytes = 2 << 20
	// compactAt is the number of tables with new data (in level 0) that starts a compaction. Writes wait at stopWritesAt.
	compactAt    = 16
	stopWritesAt = 48
	// baseBytes is the largest size of the first level below level 0.
	baseBytes = 1 << 30
	// filterBits is the size of the Bloom filters per key. With 10 bits one look-up in a hundred reads a table in vain.
	filterBits = 10
	// retryPause is how long Pebble waits before it tries again to write what a full disk has refused. It would try
	// without a pause.
	retryPause = 100 * time.Millisecond
	// abandonWait is how long Close waits for a database that has failed.
	abandonWait = time.Second
	// damagedMark is the name of a file in the folder of a database that was found damaged. Not every damage is seen when
	// the database is opened.
	damagedMark = "DAMAGED"
)

// DB is a Pebble database that ends where Pebble by itself would end the process: when its files are damaged, or when
// its disk takes nothing any more. Its user asks Err from time to time, and closes it when that is not nil.
type DB struct {
	*pebble.DB
	fs     vfs.FS
	dir    string
	failed chan struct{} // closed with the first failure

	mu  sync.Mutex
	err error
}

// OpenOrBuild opens the database in dir. It creates the database if there is none. One that is damaged, or was found
// damaged when it was last open, is deleted, so that its user builds it again from the log; damaged is told. What was
// written last stays in up to two memtables of memTableBytes each, which is at most MaxMemTableBytes.
func OpenOrBuild(dir string, memTableBytes int64, damaged func(error)) (*DB, error) {
	db, err := openWith(vfs.Default, dir, memTableBytes)
	if _, ok := errors.AsType[*DamagedError](err); !ok {
		return db, err
	}
	damaged(err)
	if err := os.RemoveAll(dir); err != nil {
		return nil, &DiskError{dir, err}
	}
	return openWith(vfs.Default, dir, memTableBytes)
}

// Open opens the database in dir. It creates the database if there is none. Its error is a *DamagedError or a
// *DiskError where that is the cause.
func Open(dir string) (*DB, error) { return OpenOn(vfs.Default, dir) }

// OpenOn is Open on another file system.
func OpenOn(fs vfs.FS, dir string) (*DB, error) { return openWith(fs, dir, MaxMemTableBytes) }

func openWith(fs vfs.FS, dir string, memTableBytes int64) (*DB, error) {
	db := &DB{fs: fs, dir: dir, failed: make(chan struct{})}
	if _, err := fs.Stat(db.mark()); err == nil {
		return nil, &DamagedError{dir, errors.New("they were found damaged when they were last in use")}
	}
	// There is no write-ahead log. When a crash loses the newest memtable, its data is read from the event log again.
	// Memtables reach the disk whole and in order, so the disk always has a prefix of what was written.
	opts := &pebble.Options{
		FS: fs, DisableWAL: true, Logger: logger{db},
		MemTableSize:          uint64(max(minMemTableBytes, min(memTableBytes, MaxMemTableBytes))),
		L0CompactionThreshold: compactAt, L0StopWritesThreshold: stopWritesAt, LBaseMaxBytes: baseBytes,
		EventListener: &pebble.EventListener{DataCorruption: db.corrupted, BackgroundError: db.backgroundError},
	}
	// A compaction is scheduled when one is wanted, and when one ends. Pebble's default also wakes ten times a second, to
	// see whether more may run at once: here it is always one (Options.CompactionConcurrencyRange).
	opts.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	// Tables of level 0 are soon compacted into level 1, so it is not worth while to compress them.
	opts.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	opts.Levels[1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	if err := db.open(opts); err != nil {
		return nil, err
	}
	return db, nil
}

// open opens the database, or returns the first failure: Pebble waits while the disk takes nothing.
func (db *DB) open(opts *pebble.Options) error {
	opened := make(chan error, 1)
	go func() {
		// Pebble has checks that panic; with a damaged database these may fail before a checksum does.
		defer func() {
			if cause := recover(); cause != nil {
				opened <- &DamagedError{db.dir, fmt.Errorf("%v", cause)}
			}
		}()
		var err error
		db.DB, err = pebble.Open(db.dir, opts)
		opened <- err
	}()
	select {
	case err := <-opened:
		return explainOpen(db.dir, err)
	case <-db.failed:
		return db.Abandon(func() error { return <-opened })
	}
}

// Err is nil while the database works. A *DamagedError or a *DiskError is for good: the database takes no more, and
// what it returns is of no use.
func (db *DB) Err() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.err
}

// Failed is closed when Err is not nil any more.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// While runs work until it ends, or until the database fails: work's context then ends, and the error says of which
// store the database is.
func (db *DB) While(ctx context.Context, store string, work func(context.Context) error) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- work(running) }()
	select {
	case err := <-ended:
		return err
	case <-db.failed:
		cancel()
		return errors.Join(fmt.Errorf("%s: %w", store, db.Err()), <-ended)
	}
}

// Explain returns an error of Pebble as a *DamagedError or a *DiskError where it is one.
func (db *DB) Explain(err error) error { return explain(db.dir, err) }

// Close writes what is in memory to the disk, and closes the database. For one that has failed it is Abandon.
func (db *DB) Close() error {
	if db.Err() == nil {
		flushed, err := db.AsyncFlush()
		if err != nil {
			return errors.Join(db.Explain(err), db.DB.Close())
		}
		select {
		case <-flushed:
			return db.Explain(db.DB.Close())
		case <-db.failed:
		}
	}
	return db.Abandon(func() error { return nil })
}

// Abandon closes a database that has failed, once idle has returned nil, and returns why it failed. Both may wait until
// the disk works again, so it goes on in the background after a second; until then the database cannot be opened again.
func (db *DB) Abandon(idle func() error) error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if idle() == nil {
			_ = db.DB.Close() // Err says why it failed
		}
	}()
	giveUp := time.NewTimer(abandonWait)
	defer giveUp.Stop()
	select {
	case <-closed:
	case <-giveUp.C:
	}
	return db.Err()
}

// Damaged says that the database has something that nobody wrote, and returns it as the error that Err returns too.
func (db *DB) Damaged(err error) error {
	damaged := &DamagedError{db.dir, err}
	db.fail(damaged)
	return damaged
}

func (db *DB) mark() string { return db.fs.PathJoin(db.dir, damagedMark) }

func (db *DB) fail(err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.err != nil {
		return
	}
	db.err = err
	close(db.failed)
	if _, ok := errors.AsType[*DamagedError](err); ok {
		// Where it cannot be written, the damage is found again.
		if f, err := db.fs.Create(db.mark(), vfs.WriteCategoryUnspecified); err == nil {
			_ = f.Close()
		}
	}
}

// corrupted is told of blocks whose checksum is wrong. Without it Pebble calls Fatalf.
func (db *DB) corrupted(info pebble.DataCorruptionInfo) { _ = db.Damaged(info.Details) }

// backgroundError is told that a memtable could not be written, or tables not compacted. Pebble holds a lock meanwhile,
// and tries again at once.
func (db *DB) backgroundError(err error) {
	if errors.Is(err, pebble.ErrCancelledCompaction) || errors.Is(err, pebble.ErrClosed) {
		return
	}
	if explained := db.Explain(err); isExplained(explained) {
		db.fail(explained)
	} else {
		db.fail(&DiskError{db.dir, err})
	}
	time.Sleep(retryPause)
}

// logger drops what Pebble logs. Its calls return errors, too.
type logger struct{ db *DB }

// Infof implements pebble.Logger.
func (logger) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (logger) Errorf(string, ...any) {}

// Fatalf implements pebble.Logger. Pebble expects it to end the process, and returns an error when it does not. Only
// the list of tables may have become unclear then, and the database is read again before it is used again.
func (l logger) Fatalf(format string, args ...any) {
	err := error(&DiskError{l.db.dir, fmt.Errorf(format, args...)})
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			if explained := l.db.Explain(cause); isExplained(explained) {
				err = explained
			}
		}
	}
	l.db.fail(err)
}
