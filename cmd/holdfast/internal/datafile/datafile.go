// Package datafile opens files that users import, plain or compressed.
package datafile

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ulikunitz/xz"
)

const readAheadBytes = 1 << 20

// Open opens a file, and decompresses it if its name ends in .gz or .xz.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s is a directory", path)
	}
	plain, err := decompress(path, bufio.NewReaderSize(f, readAheadBytes))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	return &file{plain, f}, nil
}

type file struct {
	io.Reader
	io.Closer
}

func decompress(path string, r io.Reader) (io.Reader, error) {
	switch {
	case strings.HasSuffix(path, ".gz"):
		return gzip.NewReader(r)
	case strings.HasSuffix(path, ".xz"):
		return xz.NewReader(r)
	}
	return r, nil
}
