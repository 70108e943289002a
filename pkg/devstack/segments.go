package devstack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Which transactions are open is in the headers of batches. A client gets whole batches, over the broker's one goroutine,
// and takes them apart; in the broker's files the headers alone are read, a hundred times as fast. These files are batches as
// Kafka sends them, one after the other, in a directory a partition, and each file is named for its first offset.

// The parts of a batch's header that matter here (Kafka's record batch, version 2; big endian).
const (
	headerBytes      = 61
	lengthAt         = 8 // of what follows it
	lengthEnd        = lengthAt + 4
	attributesAt     = 21
	lastOffsetAt     = 23 // less the first
	producerIDAt     = 43
	producerEpochAt  = 51
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
)

// headerReadBytes are read at once. Small batches come many together; most of a large one is passed over.
const headerReadBytes = 16 << 10

type batchHeader struct {
	bytes         int64 // with the header
	lastOffset    int64
	attributes    uint16
	producerID    int64
	producerEpoch int16
}

func (b batchHeader) control() bool       { return b.attributes&controlBit != 0 }
func (b batchHeader) transactional() bool { return b.attributes&transactionalBit != 0 }

// partitionDir is where the broker keeps a partition.
func partitionDir(dir, topic string, partition int32) string {
	return filepath.Join(dir, "partitions", fmt.Sprintf("%s-%d", topic, partition))
}

// readBatches shows a partition's batches in their order up to the end offset. That the files do not reach it is an
// error: they are not what the broker has loaded then, and an open transaction would go unseen.
func readBatches(partitionDir string, end int64, see func(batchHeader)) error {
	segments, err := segmentFiles(partitionDir)
	if err != nil {
		return err
	}
	reached := int64(0)
	for _, path := range segments {
		err := readSegment(path, func(b batchHeader) (more bool) {
			if reached >= end { // of a client that is faster than we are
				return false
			}
			see(b)
			reached = b.lastOffset + 1
			return true
		})
		if err != nil {
			return err
		}
	}
	if reached < end {
		return fmt.Errorf("the files of %s reach offset %d, the broker %d", partitionDir, reached, end)
	}
	return nil
}

// segmentFiles are a partition's files in the order of their offsets.
func segmentFiles(partitionDir string) ([]string, error) {
	entries, err := os.ReadDir(partitionDir)
	if err != nil {
		return nil, err
	}
	var firsts []int64
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".dat")
		if !ok {
			continue
		}
		first, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not the name of a segment", partitionDir, entry.Name())
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	var paths []string
	for _, first := range firsts {
		paths = append(paths, filepath.Join(partitionDir, strconv.FormatInt(first, 10)+".dat"))
	}
	return paths, nil
}

// readSegment shows the batches of one file until there are no more, or see wants no more.
func readSegment(path string, see func(batchHeader) (more bool)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	headers := headerReader{file: file, buf: make([]byte, headerReadBytes)}
	for at := int64(0); ; {
		header, err := headers.read(at)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s at byte %d: %w", path, at, err)
		}
		if !see(header) {
			return nil
		}
		at += header.bytes
	}
}

// headerReader reads headers at growing places of a file.
type headerReader struct {
	file *os.File
	buf  []byte
	held []byte // of buf: what was read last,
	from int64  // and where it begins in the file
}

// read returns the header at that byte; io.EOF where the file has ended.
func (r *headerReader) read(at int64) (batchHeader, error) {
	if at+headerBytes > r.from+int64(len(r.held)) {
		n, err := r.file.ReadAt(r.buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return batchHeader{}, err
		}
		if n < headerBytes {
			return batchHeader{}, io.EOF
		}
		r.held, r.from = r.buf[:n], at
	}
	return parseHeader(r.held[at-r.from:])
}

func parseHeader(b []byte) (batchHeader, error) {
	header := batchHeader{
		bytes:         lengthEnd + int64(binary.BigEndian.Uint32(b[lengthAt:])),
		lastOffset:    int64(binary.BigEndian.Uint64(b)) + int64(binary.BigEndian.Uint32(b[lastOffsetAt:])),
		attributes:    binary.BigEndian.Uint16(b[attributesAt:]),
		producerID:    int64(binary.BigEndian.Uint64(b[producerIDAt:])),
		producerEpoch: int16(binary.BigEndian.Uint16(b[producerEpochAt:])),
	}
	if header.bytes < headerBytes {
		return batchHeader{}, fmt.Errorf("no batch has %d bytes", header.bytes)
	}
	return header, nil
}
