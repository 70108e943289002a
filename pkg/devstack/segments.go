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

// This file reads the headers of record batches in the broker's files, which say which transactions are open. A client
// would fetch whole batches through the broker's single goroutine and decode them; reading only headers from the files
// is a hundred times as fast.
//
// The broker has one directory per partition. Its segment files contain batches as Kafka sends them, one after the
// other, and each file is named for its first offset, such as 4711.dat.

// Places in a batch's header (Kafka's record batch, version 2; big endian). Only the fields used here.
const (
	headerBytes      = 61
	lengthAt         = 8 // the length counts the bytes after this field
	lengthEnd        = lengthAt + 4
	attributesAt     = 21
	lastOffsetAt     = 23 // relative to the first offset
	producerIDAt     = 43
	producerEpochAt  = 51
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
)

// headerReadBytes is the size of one read: enough for many small batches at once, and little of a large one.
const headerReadBytes = 16 << 10

type batchHeader struct {
	bytes         int64 // size of the batch, header included
	lastOffset    int64
	attributes    uint16
	producerID    int64
	producerEpoch int16
}

func (b batchHeader) control() bool       { return b.attributes&controlBit != 0 }
func (b batchHeader) transactional() bool { return b.attributes&transactionalBit != 0 }

// partitionDir is the directory of a partition's segment files.
func partitionDir(dir, topic string, partition int32) string {
	return filepath.Join(dir, "partitions", fmt.Sprintf("%s-%d", topic, partition))
}

// readBatches calls onBatch for each batch of a partition, in order, up to the end offset. Files that end before it are
// an error: they are not what the broker has loaded, and an open transaction could be missed.
func readBatches(partitionDir string, end int64, onBatch func(batchHeader)) error {
	segments, err := segmentFiles(partitionDir)
	if err != nil {
		return err
	}
	reached := int64(0)
	for _, path := range segments {
		err := readSegment(path, func(b batchHeader) (more bool) {
			if reached >= end { // a client has already written more
				return false
			}
			onBatch(b)
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

// segmentFiles lists a partition's files in the order of their offsets.
func segmentFiles(partitionDir string) ([]string, error) {
	entries, err := os.ReadDir(partitionDir)
	if err != nil {
		return nil, err
	}
	var firstOffsets []int64
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".dat")
		if !ok {
			continue
		}
		firstOffset, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not the name of a segment", partitionDir, entry.Name())
		}
		firstOffsets = append(firstOffsets, firstOffset)
	}
	slices.Sort(firstOffsets)
	var paths []string
	for _, firstOffset := range firstOffsets {
		paths = append(paths, filepath.Join(partitionDir, strconv.FormatInt(firstOffset, 10)+".dat"))
	}
	return paths, nil
}

// readSegment calls onBatch for each batch of one file, until the file ends or onBatch returns false.
func readSegment(path string, onBatch func(batchHeader) (more bool)) error {
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
		if !onBatch(header) {
			return nil
		}
		at += header.bytes
	}
}

// headerReader reads headers of a file, each further on than the one before.
type headerReader struct {
	file *os.File
	buf  []byte
	// window is the filled portion of buf, and windowAt is the place in the file that it was read from.
	window   []byte
	windowAt int64
}

// read returns the header at that place in the file. It returns io.EOF when less than a header is left.
func (r *headerReader) read(at int64) (batchHeader, error) {
	if at+headerBytes > r.windowAt+int64(len(r.window)) {
		n, err := r.file.ReadAt(r.buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return batchHeader{}, err
		}
		if n < headerBytes {
			return batchHeader{}, io.EOF
		}
		r.window, r.windowAt = r.buf[:n], at
	}
	return parseHeader(r.window[at-r.windowAt:])
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
