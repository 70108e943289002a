package ndjson

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"regexp"
	"strconv"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/datafile"
)

// Stdin is the path of the standard input.
const Stdin = "-"

// File is a file of commands that has been read once.
type File struct {
	// Lines is the number of lines, without empty ones.
	Lines int
	// Unnamed is how many of them have no id and would be done twice if they came again in another file. Lines that set
	// something, such as register_item, do nothing then.
	Unnamed int

	path string
	// spooled means that path is a copy of the standard input, which cannot be read twice.
	spooled bool
	sum     string
}

// Open reads a file once: plain, .gz or .xz, or stdin for the path "-".
func Open(path string, stdin io.Reader) (*File, error) {
	f := &File{path: path}
	if path == Stdin {
		if err := f.spool(stdin); err != nil {
			return nil, fmt.Errorf("keep the standard input: %w", err)
		}
	}
	if err := f.scan(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close deletes the copy of the standard input.
func (f *File) Close() error {
	if !f.spooled {
		return nil
	}
	return os.Remove(f.path)
}

func (f *File) spool(from io.Reader) error {
	to, err := os.CreateTemp("", "holdfast-import-*.ndjson")
	if err != nil {
		return err
	}
	f.path, f.spooled = to.Name(), true
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// scan counts the lines and computes the checksum of the content, which does not depend on compression.
func (f *File) scan() error {
	r, err := f.reader()
	if err != nil {
		return err
	}
	defer r.close()
	r.sum = sha256.New()
	for {
		l, err := r.next()
		if errors.Is(err, io.EOF) {
			f.sum = hex.EncodeToString(r.sum.Sum(nil)[:16])
			return nil
		} else if err != nil {
			return err
		}
		f.Lines++
		if unnamed(l.text) {
			f.Unnamed++
		}
	}
}

// unnamed reports whether a line has no id and needs one. It does not read the JSON: no other member of a line has the
// name "id", and what sets something is known by its type.
func unnamed(text []byte) bool {
	return !bytes.Contains(text, []byte(`"id"`)) && !sets.Match(text)
}

// sets matches the types of commands that need no id: what they set twice is set once.
var sets = regexp.MustCompile(`"type"\s*:\s*"(register|expect|set)_`)

// id is the id of a line that has none. It is the same in every import of the same content. In another file it differs,
// because there the same line is another command.
func (f *File) id(line int) string { return "file-" + f.sum + "-" + strconv.Itoa(line) }

func (f *File) reader() (*lineReader, error) {
	file, err := datafile.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("read commands: %w", err)
	}
	return &lineReader{path: f.path, file: file, in: bufio.NewReaderSize(file, 64<<10)}, nil
}

// lineReader reads lines that are not empty.
type lineReader struct {
	path   string
	file   io.Closer
	in     *bufio.Reader
	sum    hash.Hash // nil: it is not needed
	number int
	text   []byte
}

// line is a line as it was read. text is valid until the next line is read. A line that is too long is cut.
type line struct {
	number int
	text   []byte
	// bytes is the line's length before it was cut.
	bytes int
}

func (r *lineReader) close() { _ = r.file.Close() } // it was read only

// next returns the next line without its end, or io.EOF.
func (r *lineReader) next() (line, error) {
	for {
		l, err := r.read()
		if err != nil && !errors.Is(err, io.EOF) {
			return line{}, fmt.Errorf("read %s, line %d: %w", r.path, r.number, err)
		}
		if l.text = trim(l.text, r.number == 1); len(l.text) > 0 {
			return l, nil
		}
		if err != nil {
			return line{}, err
		}
	}
}

// read returns a line, which may be empty. io.EOF comes with the last line or after it.
func (r *lineReader) read() (line, error) {
	r.number++
	l := line{number: r.number}
	r.text = r.text[:0]
	for {
		chunk, err := r.in.ReadSlice('\n')
		if r.sum != nil {
			r.sum.Write(chunk)
		}
		l.bytes += len(chunk)
		r.text = append(r.text, chunk[:min(len(chunk), MaxLineBytes+1-min(len(r.text), MaxLineBytes+1))]...)
		l.text = r.text
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l, err
		}
	}
}

var byteOrderMark = "\ufeff"

// trim removes white space at both ends, and a byte order mark before the first line.
func trim(text []byte, first bool) []byte {
	if first && len(text) >= len(byteOrderMark) && string(text[:len(byteOrderMark)]) == byteOrderMark {
		text = text[len(byteOrderMark):]
	}
	for len(text) > 0 && text[len(text)-1] <= ' ' {
		text = text[:len(text)-1]
	}
	for len(text) > 0 && text[0] <= ' ' {
		text = text[1:]
	}
	return text
}
