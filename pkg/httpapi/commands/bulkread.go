package commands

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"

	"github.com/holdfast/holdfast/pkg/limits"
)

var errLineTooLong = errors.New("line too long")

// lineReader returns lines without their end; a line is valid until the next call.
type lineReader struct {
	reader *bufio.Reader
	long   []byte
}

// next returns a line, which may be empty, and io.EOF or another error with or after the last one.
func (l *lineReader) next() ([]byte, error) {
	chunk, err := l.reader.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = l.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			l.long = append(l.long, chunk...)
			if len(l.long) > limits.MaxBulkLineBytes {
				return nil, errLineTooLong
			}
			chunk, err = l.reader.ReadSlice('\n')
		}
		l.long = append(l.long, chunk...)
		if len(l.long) > limits.MaxBulkLineBytes {
			return nil, errLineTooLong
		}
		chunk = l.long
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err // half a line is no line
	}
	return trimSpace(chunk), err
}

func trimSpace(line []byte) []byte {
	for len(line) > 0 && line[len(line)-1] <= ' ' {
		line = line[:len(line)-1]
	}
	for len(line) > 0 && line[0] <= ' ' {
		line = line[1:]
	}
	return line
}

// pacedBody allows BulkIdleTimeout for each read.
type pacedBody struct {
	body   io.Reader
	stream *bulkStream
}

// Read sets its deadline before it looks whether the stream has ended: whoever ends it moves the deadline
// after saying so, and one of the two is seen.
func (p *pacedBody) Read(b []byte) (int, error) {
	_ = p.stream.control.SetReadDeadline(time.Now().Add(BulkIdleTimeout))
	if p.stream.stopping() || p.stream.ctx.Err() != nil {
		return 0, os.ErrDeadlineExceeded
	}
	read, err := p.body.Read(b)
	p.stream.heard = p.stream.api.heard()
	return read, err
}
