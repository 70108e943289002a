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
	// compressedBlockBytes is the most that goes into one compressed block, before compression.
	compressedBlockBytes = 1 << 20
	// writeTimeout is how long a client may take to receive one block of a result.
	writeTimeout = time.Minute
)

// output is the body of a response, compressed if the client asked for that.
type output struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	compress *compress.Writer // nil: not compressed
	// exceptionTag is a random text that encloses an error behind rows, so that rows cannot be mistaken for it.
	exceptionTag string
	started      bool // some of the body has been sent
}

func newOutput(w http.ResponseWriter, q *request) *output {
	o := &output{w: w, control: http.NewResponseController(w), exceptionTag: rand.Text()[:16]}
	_ = o.control.SetWriteDeadline(time.Time{}) // clear the deadline of the connection's previous request
	// Without a type net/http guesses one: a result that begins with <script> would run in a browser.
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if q.compress {
		method := compress.LZ4
		if q.zstd {
			method = compress.ZSTD
		}
		o.compress = compress.NewWriter(compress.LevelZero, method)
	}
	return o
}

// Write sends a block of the result.
func (o *output) Write(block []byte) (int, error) {
	o.started = true
	if err := o.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	if o.compress == nil {
		return o.w.Write(block) //nolint:gosec // newOutput sends it as text that no browser takes for a page
	}
	for remaining := block; len(remaining) > 0; {
		n := min(len(remaining), compressedBlockBytes)
		if err := o.compress.Compress(remaining[:n]); err != nil {
			return 0, err
		}
		if _, err := o.w.Write(o.compress.Data); err != nil {
			return 0, err
		}
		remaining = remaining[n:]
	}
	return len(block), nil
}

// fail sends an error: as status, header and body, or, if rows have been sent already, behind them between ClickHouse's
// exception markers. In the latter case it also cuts the connection, so that no client mistakes these rows for the
// complete result.
func (o *output) fail(err error) {
	f := asFailure(err)
	_ = o.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if !o.started {
		o.w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(f.code))
		o.w.WriteHeader(f.status())
		_, _ = io.WriteString(o.w, f.text+"\n")
		return
	}
	const marker = "\r\n__exception__\r\n"
	fmt.Fprintf(o.w, "%s%s\r\n%s\n%d %s%s", marker, o.exceptionTag, f.text, len(f.text)+1, o.exceptionTag, marker)
	_ = o.control.Flush()
	panic(http.ErrAbortHandler)
}
