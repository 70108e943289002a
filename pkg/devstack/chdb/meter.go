package chdb

import (
	"fmt"
	"io"
	"os"
	"time"
)

// meter is a reader that shows how much of it was read. Half a gigabyte is read several times before the first start.
type meter struct {
	f          *fetcher
	doing      string
	from       io.Reader
	read, size int64
	next       time.Time // when the next message is due
}

// meter shows how far something is that reads size bytes, such as "unpacking".
func (f *fetcher) meter(doing string, from io.Reader, size int64) *meter {
	m := &meter{f: f, doing: doing, from: from, size: size}
	m.show()
	return m
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	m.read += int64(n)
	if time.Now().After(m.next) {
		m.show()
	}
	return n, err
}

func (m *meter) show() {
	m.next = time.Now().Add(m.f.progressInterval)
	m.f.showProgress(fmt.Sprintf("%s: %d of %d MB", m.doing, megabytes(m.read), megabytes(m.size)))
}

// end shows the last figure on a terminal, and ends its line. Elsewhere each message is a line of its own already.
func (m *meter) end() {
	if m.f.terminal {
		m.show()
		fmt.Fprintln(m.f.progress)
	}
}

// fileSize is the size of a file, or 0 where it cannot be told.
func fileSize(file *os.File) int64 {
	info, err := file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}
