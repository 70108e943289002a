package backup

import (
	"bufio"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// ExportConfig is what an export needs.
type ExportConfig struct {
	Client *eventlog.Client
	// Program is the version of this program, for the header.
	Program string
	// Observe is told how many offsets of how many were read; nil: nobody is.
	Observe func(done, total int64)

	chunkRecords int // 0: maxChunkRecords
}

// Exported says what an export wrote.
type Exported struct {
	Path   string  `json:"path,omitempty"`
	Header *Header `json:"header"`
	Footer Footer  `json:"footer"`
	// ArchiveBytes is the size of the archive.
	ArchiveBytes int64 `json:"archive_bytes"`
	// ResumedRecords were in the archive already, from an export that was ended.
	ResumedRecords int64 `json:"resumed_records,omitempty"`
}

// ExportFile writes an archive to path, or into it where that is a folder. Until it is complete its name ends with
// PartialSuffix: an export that was ended goes on there, to the ends that it had pinned.
func ExportFile(ctx context.Context, cfg ExportConfig, path string) (_ *Exported, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if path, err = nameIn(path); err != nil {
			return nil, err
		}
	} else if err == nil {
		return nil, fmt.Errorf("%s exists already: an archive is never written over another one; name another file", path)
	}
	partial := path + PartialSuffix
	file, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the archive: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	e := newExport(cfg)
	if err := e.resume(file); err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	e.out.out = buffered
	result, err := e.run(ctx, buffered.Flush)
	if err = errors.Join(err, buffered.Flush()); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, fmt.Errorf("write the archive: %w", err)
	}
	if err := os.Rename(partial, path); err != nil {
		return nil, fmt.Errorf("name the archive: %w", err)
	}
	result.Path = path
	return result, syncFolder(filepath.Dir(path))
}

// Export writes an archive as a stream.
func Export(ctx context.Context, cfg ExportConfig, out io.Writer) (*Exported, error) {
	e := newExport(cfg)
	e.out.out = out
	return e.run(ctx, func() error { return nil })
}

// nameIn is the archive in a folder that was begun and not completed, or a new name.
func nameIn(dir string) (string, error) {
	begun, err := filepath.Glob(filepath.Join(dir, "*"+Suffix+PartialSuffix))
	if err != nil {
		return "", fmt.Errorf("look for archives: %w", err)
	}
	if len(begun) > 1 {
		return "", fmt.Errorf("%s has %d archives that were begun; name the file of the one to go on with, without %s",
			dir, len(begun), PartialSuffix)
	}
	if len(begun) == 1 {
		return begun[0][:len(begun[0])-len(PartialSuffix)], nil
	}
	return filepath.Join(dir, "holdfast-"+time.Now().UTC().Format("20060102T150405Z")+Suffix), nil
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// export is one export.
type export struct {
	cfg    ExportConfig
	out    *sectionWriter
	header *Header
	next   eventlog.Offsets // where to go on
	footer Footer
	// resumed are the records of an export that was ended.
	resumed int64
	chunk   []byte
	records int // in chunk
	// chunkRecords is how many a chunk has at most.
	chunkRecords int
	done         eventlog.Offsets
}

func newExport(cfg ExportConfig) *export {
	return &export{cfg: cfg, out: newSectionWriter(nil), next: eventlog.Offsets{}, chunkRecords: cmp.Or(cfg.chunkRecords,
		maxChunkRecords)}
}

// resume reads what an export that was ended has written, and cuts off what is not whole.
func (e *export) resume(file *os.File) error {
	r := newSectionReader(file)
	if r.start() != nil {
		return e.truncate(file, 0)
	}
	whole := r.read
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer decoder.Close()
	for {
		kind, payload, _, err := r.next()
		if err != nil || kind == kindFooter {
			break
		}
		switch kind {
		case kindHeader:
			var h Header
			if json.Unmarshal(payload, &h) != nil || h.validate() != nil {
				return e.truncate(file, 0)
			}
			e.header = &h
		case kindChunk:
			if e.header == nil || !e.count(decoder, payload) {
				return e.truncate(file, 0)
			}
		}
		whole = r.read
	}
	if e.header == nil {
		return e.truncate(file, 0)
	}
	e.resumed = e.footer.Records
	return e.truncate(file, whole)
}

// count takes a chunk of before into account; false: it is damaged.
func (e *export) count(decoder *zstd.Decoder, payload []byte) bool {
	raw, err := decoder.DecodeAll(payload, nil)
	if err != nil {
		return false
	}
	in := recordReader{b: raw, topics: e.header.Topics}
	for {
		rec, more := in.next()
		if !more {
			break
		}
		e.next[rec.TopicPartition] = rec.Offset + 1
		e.footer.Records++
		e.footer.Bytes += int64(rec.Size())
	}
	e.footer.Chunks++
	return !in.failed
}

// truncate cuts the file off, and hashes what is left of it.
func (e *export) truncate(file *os.File, size int64) error {
	if size == 0 {
		e.header, e.next, e.footer = nil, eventlog.Offsets{}, Footer{}
	}
	err := file.Truncate(size)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil {
		e.out.written, err = io.Copy(e.out.sum, file)
	}
	if err != nil {
		return fmt.Errorf("go on with the archive: %w", err)
	}
	return nil
}

// run writes what is missing. flush is called from time to time, so that an export that is ended loses little.
func (e *export) run(ctx context.Context, flush func() error) (*Exported, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	position, err := eventlog.ParsePosition(e.header.Position)
	if err != nil {
		return nil, err
	}
	ends := position.Offsets()
	e.done = e.next.Clone()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(2))
	if err != nil {
		return nil, err
	}
	defer func() { _ = encoder.Close() }() // it has no writer
	end := func() error {
		if e.records == 0 {
			return nil
		}
		err := e.out.put(kindChunk, encoder.EncodeAll(e.chunk, nil))
		e.footer.Records, e.footer.Chunks = e.footer.Records+int64(e.records), e.footer.Chunks+1
		e.chunk, e.records = e.chunk[:0], 0
		e.observe(ends)
		return errors.Join(err, flush())
	}
	err = e.cfg.Client.ReadAll(ctx, e.next, ends, func(r *eventlog.Record) error {
		e.chunk = appendRecord(e.chunk, slices.Index(topics, r.Topic), r)
		e.records++
		e.footer.Bytes += int64(r.Size())
		e.done[r.TopicPartition] = r.Offset + 1
		if len(e.chunk) < chunkBytes && e.records < e.chunkRecords {
			return nil
		}
		return end()
	})
	if err = errors.Join(err, end()); err != nil {
		return nil, err
	}
	e.footer.SHA256 = hex.EncodeToString(e.out.sum.Sum(nil))
	if err := e.out.putJSON(kindFooter, e.footer); err != nil {
		return nil, err
	}
	return &Exported{Header: e.header, Footer: e.footer, ArchiveBytes: e.out.written, ResumedRecords: e.resumed}, nil
}

func (e *export) observe(ends eventlog.Offsets) {
	if e.cfg.Observe == nil {
		return
	}
	var done int64
	for tp, end := range ends {
		done += min(e.done[tp], end)
	}
	e.cfg.Observe(done, e.header.Offsets)
}

// begin writes the header, or compares the one that is there with the log.
func (e *export) begin(ctx context.Context) error {
	now, err := e.readHeader(ctx)
	if err != nil {
		return err
	}
	if e.header == nil {
		e.header = now
		if err := e.out.start(); err != nil {
			return err
		}
		return e.out.putJSON(kindHeader, now)
	}
	if had := e.header; had.Env != now.Env || had.Incarnation != now.Incarnation ||
		!slices.Equal(had.Layouts, now.Layouts[:min(len(had.Layouts), len(now.Layouts))]) {
		return errors.New("the archive that was begun is of another platform: name another file, or delete the one whose " +
			"name ends with " + PartialSuffix)
	}
	return nil
}

// readHeader pins the log. The decisions are read before that: what they name lies before the ends.
func (e *export) readHeader(ctx context.Context) (*Header, error) {
	c := e.cfg.Client
	identity, err := c.Identity(ctx)
	if err != nil {
		return nil, err
	}
	h := &Header{
		ID: uuid.New(), CreatedAt: time.Now().UTC(), Program: e.cfg.Program, Env: identity.Env,
		Incarnation: identity.Incarnation, Layouts: identity.Layouts, Topics: topics,
	}
	if e.header != nil {
		return h, nil // it was pinned before
	}
	if h.Insights, err = c.ReadDecisions(ctx); err != nil {
		return nil, err
	}
	if h.Quarantines, err = c.Quarantines(ctx); err != nil {
		return nil, err
	}
	ends, err := c.PinEnds(ctx, h.Layout())
	if err != nil {
		return nil, err
	}
	for _, end := range ends {
		h.Offsets += end
	}
	h.Position = eventlog.PositionOf(ends).String()
	// Behind the ends: it has every location that stock before them has come to.
	h.Catalog, err = c.ReadCatalog(ctx)
	return h, err
}
