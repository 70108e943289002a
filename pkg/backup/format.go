// Package backup writes a log into an archive, and an archive into an empty platform. It owns the format of archives.
//
// An archive has all committed records of the topics that are the data: the events of orders and stock, up to ends at
// which every transaction is whole, the layouts, the catalogue, and the decisions about insights and quarantined
// records. Everything else is built from these.
//
// A format 1 archive is a sequence of sections, so that it can be written as a stream:
//
//	"HOLDFAST-LOG" 0x0a 0x01            magic, and the version of the format
//	section: kind (1 byte), length of the payload (4 bytes, big-endian), payload, CRC-32C of all that (4 bytes)
//	  'h'  one header, JSON (Header)
//	  'c'  chunks, zstd: records in the order of their partitions
//	  'f'  one footer, JSON (Footer), with the SHA-256 of all bytes before the section
//
// A record in a chunk is, as unsigned varints but for bytes: place in Header.Topics, partition, offset, time in
// microseconds (zigzag), then key, value, and each header's key and value with their lengths before them.
package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Format is the version of the format that is written. All versions up to it are read.
const Format = 1

// Suffix ends the name of an archive. PartialSuffix is added while it is not complete.
const (
	Suffix        = ".hflog"
	PartialSuffix = ".partial"
)

const (
	magic = "HOLDFAST-LOG\n"

	kindHeader = 'h'
	kindChunk  = 'c'
	kindFooter = 'f'

	// maxSectionBytes bounds a section: a chunk has at most chunkBytes and one more record before it is compressed.
	maxSectionBytes = 64 << 20
	// A chunk has about as much, or maxChunkRecords, and is one transaction of an import.
	chunkBytes      = 8 << 20
	maxChunkRecords = 20_000
)

// topics are the topics of an archive, by their place in Header.Topics.
var topics = []string{eventlog.TopicOrders, eventlog.TopicInventory}

// Header says what an archive has.
type Header struct {
	ID        uuid.UUID `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	// Program is the version of Holdfast that wrote it.
	Program string `json:"program"`
	// Env and Incarnation are those of the platform that it is of.
	Env         string               `json:"env"`
	Incarnation eventlog.Incarnation `json:"incarnation,omitempty"`
	// Layouts has all layouts, oldest first.
	Layouts []eventlog.Layout `json:"layouts"`
	Topics  []string          `json:"topics"`
	// Position has the pinned ends of the event topics, and Offsets how many offsets lie before them: more than records,
	// because the markers of transactions have offsets.
	Position string `json:"position"`
	Offsets  int64  `json:"offsets"`
	// Quarantines and Insights are the records of the topics of decisions.
	Quarantines []eventlog.Quarantine `json:"quarantines,omitempty"`
	Insights    []json.RawMessage     `json:"insights,omitempty"`
	// Catalog are the records of catalog.events. Archives of releases without a catalogue have none.
	Catalog []eventlog.CatalogRecord `json:"catalog,omitempty"`
}

// Layout is the layout that counts.
func (h *Header) Layout() eventlog.Layout { return h.Layouts[len(h.Layouts)-1] }

// validate reports what makes a header unusable.
func (h *Header) validate() error {
	if len(h.Layouts) == 0 {
		return errors.New("it has no layout")
	}
	for i, l := range h.Layouts {
		if err := l.Validate(); err != nil {
			return err
		}
		if int(l.Generation) != i+1 || l.PartitionCount != h.Layouts[0].PartitionCount {
			return fmt.Errorf("its layout %d is out of order", i+1)
		}
	}
	for _, topic := range h.Topics {
		if topic != eventlog.TopicOrders && topic != eventlog.TopicInventory {
			return fmt.Errorf("it has the topic %s, which this program does not know: use a newer one", topic)
		}
	}
	_, err := eventlog.ParsePosition(h.Position)
	return err
}

// Footer ends a complete archive.
type Footer struct {
	Records int64 `json:"records"`
	Chunks  int   `json:"chunks"`
	// Bytes are those of keys, values and headers.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// DamagedError means that a file is no complete and unaltered archive.
type DamagedError struct {
	Offset int64
	What   string
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the archive cannot be used: %s (at byte %d). Nothing was written. Use another copy of it, or "+
		"export the log again", e.What, e.Offset)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sectionWriter writes sections, and hashes what it has written.
type sectionWriter struct {
	out     io.Writer
	sum     hash.Hash
	written int64
	section []byte
}

func newSectionWriter(out io.Writer) *sectionWriter {
	return &sectionWriter{out: out, sum: sha256.New()}
}

func (w *sectionWriter) start() error { return w.write(append([]byte(magic), Format)) }

func (w *sectionWriter) write(b []byte) error {
	n, err := w.out.Write(b)
	w.sum.Write(b[:n])
	w.written += int64(n)
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}

func (w *sectionWriter) put(kind byte, payload []byte) error {
	w.section = append(w.section[:0], kind)
	w.section = binary.BigEndian.AppendUint32(w.section, uint32(len(payload)))
	w.section = append(w.section, payload...)
	w.section = binary.BigEndian.AppendUint32(w.section, crc32.Checksum(w.section, castagnoli))
	return w.write(w.section)
}

func (w *sectionWriter) putJSON(kind byte, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return w.put(kind, payload)
}

// sectionReader reads sections, and hashes what it has read.
type sectionReader struct {
	in   *bufio.Reader
	sum  hash.Hash
	read int64
	buf  []byte
}

func newSectionReader(in io.Reader) *sectionReader {
	return &sectionReader{in: bufio.NewReaderSize(in, 1<<20), sum: sha256.New()}
}

func (r *sectionReader) damaged(what string) error { return &DamagedError{r.read, what} }

// take reads n bytes.
func (r *sectionReader) take(b []byte) error {
	n, err := io.ReadFull(r.in, b)
	r.read += int64(n)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return r.damaged("it is cut off")
	case err != nil:
		return fmt.Errorf("read the archive: %w", err)
	}
	return nil
}

func (r *sectionReader) start() error {
	b := make([]byte, len(magic)+1)
	if err := r.take(b); err != nil {
		return err
	}
	if string(b[:len(magic)]) != magic {
		return r.damaged("it is no archive of holdfast log export")
	}
	if format := b[len(magic)]; format < 1 || format > Format {
		return fmt.Errorf("the archive has format %d, and this program reads formats up to %d: use the release of Holdfast "+
			"that wrote it, or a newer one. Nothing was written", format, Format)
	}
	r.sum.Write(b)
	return nil
}

// next reads a section. The payload is valid until the next one. sum is the hash of all bytes before it.
func (r *sectionReader) next() (kind byte, payload []byte, sum string, err error) {
	var head [5]byte
	if err := r.take(head[:]); err != nil {
		return 0, nil, "", err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length > maxSectionBytes {
		return 0, nil, "", r.damaged("a section is longer than any is")
	}
	n := len(head) + int(length) + 4
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	section := append(r.buf[:0], head[:]...)[:n]
	if err := r.take(section[len(head):]); err != nil {
		return 0, nil, "", err
	}
	if crc32.Checksum(section[:n-4], castagnoli) != binary.BigEndian.Uint32(section[n-4:]) {
		return 0, nil, "", r.damaged("it was altered: a checksum is wrong")
	}
	if head[0] == kindFooter {
		sum = hex.EncodeToString(r.sum.Sum(nil))
	}
	r.sum.Write(section)
	return head[0], section[len(head) : n-4], sum, nil
}

// appendRecord appends a record as chunks have it.
func appendRecord(b []byte, topic int, r *eventlog.Record) []byte {
	b = binary.AppendUvarint(b, uint64(topic))
	b = binary.AppendUvarint(b, uint64(r.Partition))
	b = binary.AppendUvarint(b, uint64(r.Offset))
	b = binary.AppendVarint(b, r.TimestampMicros)
	b = appendBytes(appendBytes(b, r.Key), r.Value)
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	for _, h := range r.Headers {
		b = appendBytes(appendBytes(b, []byte(h.Key)), h.Value)
	}
	return b
}

// appendBytes appends bytes with their length, which is 0 for none and one more for some: an empty key is not no key.
func appendBytes(b, value []byte) []byte {
	if value == nil {
		return binary.AppendUvarint(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(value))+1), value...)
}

// recordReader reads the records of a chunk.
type recordReader struct {
	b      []byte
	topics []string
	failed bool
}

func (r *recordReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *recordReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *recordReader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	if n--; n > uint64(len(r.b)) {
		r.failed, r.b = true, nil
		return nil
	}
	value := r.b[:n:n]
	r.b = r.b[n:]
	return value
}

// next is the next record; false: there is none, or the chunk is damaged (failed). It refers to the chunk's memory.
func (r *recordReader) next() (rec eventlog.Record, more bool) {
	if len(r.b) == 0 {
		return rec, false
	}
	topic := r.uvarint()
	if topic >= uint64(len(r.topics)) {
		r.failed = true
		return rec, false
	}
	rec.Topic, rec.Partition = r.topics[topic], int32(r.uvarint())
	rec.Offset, rec.TimestampMicros = int64(r.uvarint()), r.varint()
	rec.Key, rec.Value = r.bytes(), r.bytes()
	headers := r.uvarint()
	if headers > uint64(len(r.b)) {
		r.failed = true
		return rec, false
	}
	for range headers {
		rec.Headers = append(rec.Headers, eventlog.Header{Key: string(r.bytes()), Value: r.bytes()})
	}
	return rec, !r.failed
}
