package engine

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ClickHouse/ch-go/compress"
)

const (
	// frameBytes are compressed at a time.
	frameBytes = 1 << 20
	// slowestWrite is how long a client may take to take one block.
	slowestWrite = time.Minute
)

// output is a response: compressed when the client asked for it.
type output struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	compress *compress.Writer // nil: plain
	tag      string
	began    bool
}

func newOutput(w http.ResponseWriter, q *request) *output {
	o := &output{w: w, control: http.NewResponseController(w), tag: rand.Text()[:16]}
	_ = o.control.SetWriteDeadline(time.Time{}) // that of the request before, on this connection
	if q.compress {
		method := compress.LZ4
		if q.zstd {
			method = compress.ZSTD
		}
		o.compress = compress.NewWriter(compress.LevelZero, method)
	}
	return o
}

// Write sends a block.
func (o *output) Write(block []byte) (int, error) {
	o.began = true
	if err := o.control.SetWriteDeadline(time.Now().Add(slowestWrite)); err != nil {
		return 0, err
	}
	if o.compress == nil {
		return o.w.Write(block)
	}
	for rest := block; len(rest) > 0; {
		n := min(len(rest), frameBytes)
		if err := o.compress.Compress(rest[:n]); err != nil {
			return 0, err
		}
		if _, err := o.w.Write(o.compress.Data); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(block), nil
}

// fail says what went wrong: by status and header, or, once rows have been sent, in ClickHouse's frame behind
// them. Then the connection is cut, so that nobody takes the rows for all of them.
func (o *output) fail(err error) {
	f := asFailure(err)
	_ = o.control.SetWriteDeadline(time.Now().Add(slowestWrite))
	if !o.began {
		o.w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(f.code))
		o.w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		o.w.WriteHeader(f.status())
		_, _ = io.WriteString(o.w, f.text+"\n")
		return
	}
	const mark = "\r\n__exception__\r\n"
	fmt.Fprintf(o.w, "%s%s\r\n%s\n%d %s%s", mark, o.tag, f.text, len(f.text)+1, o.tag, mark)
	_ = o.control.Flush()
	panic(http.ErrAbortHandler)
}
