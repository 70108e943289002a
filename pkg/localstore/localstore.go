// Package localstore opens the Pebble databases that processes keep of the event log on their own disk. Each is a
// cache: delete its folder, and the log gives everything back.
package localstore

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Keys are random (orders are named by hashes), so every merge of new tables into the big level rewrites most of it:
// what counts is that merges are few. Look-ups pay with a few more Bloom filters.
const (
	// memTableBytes bounds the tail of the log that a restart folds again.
	memTableBytes = 64 << 20
	// mergeAfter is how many tables of new data are merged at once; writes wait at stopWritesAt.
	mergeAfter   = 16
	stopWritesAt = 48
	// baseBytes is how big the first level under the new data may be.
	baseBytes = 1 << 30
	// filterBits of the Bloom filters, for each key: one look-up in a hundred reads a table for nothing.
	filterBits = 10
)

// Open opens the database in dir, and makes it when it is not there.
func Open(dir string) (*pebble.DB, error) { return OpenOn(vfs.Default, dir) }

// OpenOn is Open on another file system.
func OpenOn(fs vfs.FS, dir string) (*pebble.DB, error) {
	// No write-ahead log: what a crash takes of the newest memtable, the log of events gives back. Memtables reach
	// the disk whole and in order, so what is there stays a prefix of what was written.
	opts := &pebble.Options{
		FS: fs, MemTableSize: memTableBytes, DisableWAL: true, Logger: quiet{},
		L0CompactionThreshold: mergeAfter, L0StopWritesThreshold: stopWritesAt, LBaseMaxBytes: baseBytes,
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	opts.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression } // merged soon
	opts.Levels[1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return db, nil
}

// quiet drops Pebble's information; its errors come back from its calls.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
