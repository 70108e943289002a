// Package localstore opens the Pebble databases that processes have on their own disk. Each is a cache of the event
// log: when its folder is deleted, it is built again from the log. The package owns the options of Pebble, not the
// contents.
package localstore

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The options of Pebble. Keys are random, because order IDs are hashes. So each compaction of new tables into the large
// level rewrites most of that level, and the options make compactions rare. The price is that a look-up asks a few more
// Bloom filters.
const (
	// memTableBytes limits how much of the log a restart folds again.
	memTableBytes = 64 << 20
	// compactAt is the number of tables with new data (in level 0) that starts a compaction. Writes wait at stopWritesAt.
	compactAt    = 16
	stopWritesAt = 48
	// baseBytes is the largest size of the first level below level 0.
	baseBytes = 1 << 30
	// filterBits is the size of the Bloom filters per key. With 10 bits one look-up in a hundred reads a table in vain.
	filterBits = 10
)

// Open opens the database in dir. It creates the database if there is none.
func Open(dir string) (*pebble.DB, error) { return OpenOn(vfs.Default, dir) }

// OpenOn is Open on another file system.
func OpenOn(fs vfs.FS, dir string) (*pebble.DB, error) {
	// There is no write-ahead log. When a crash loses the newest memtable, its data is read from the event log again.
	// Memtables reach the disk whole and in order, so the disk always has a prefix of what was written.
	opts := &pebble.Options{
		FS: fs, MemTableSize: memTableBytes, DisableWAL: true, Logger: quiet{},
		L0CompactionThreshold: compactAt, L0StopWritesThreshold: stopWritesAt, LBaseMaxBytes: baseBytes,
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	// Tables of level 0 are soon compacted into level 1, so it is not worth while to compress them.
	opts.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	opts.Levels[1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return db, nil
}

// quiet drops Pebble's log. Pebble's calls return its errors, too.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
