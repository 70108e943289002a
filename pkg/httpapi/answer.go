package httpapi

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"
)

// Content types as header values. net/http only reads them, so that all answers share them.
var (
	JSONContentType    = []string{"application/json"}
	ProblemContentType = []string{"application/problem+json"}
	LinesContentType   = []string{"application/x-ndjson"}
)

var newline = []byte("\n")

// WriteBody writes an answer, which ends with a newline as texts do; no lines at all stay no lines. A HEAD request gets
// its headers alone. It does not append to body, which may be shared.
func WriteBody(c echo.Context, status int, contentType []string, body []byte) error {
	c.Response().Header()["Content-Type"] = contentType
	end := newline
	if len(body) == 0 || bytes.HasSuffix(body, newline) {
		end = nil
	}
	c.Response().Header()["Content-Length"] = []string{strconv.Itoa(len(body) + len(end))}
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(body)
	if err == nil && end != nil {
		_, err = c.Response().Write(end)
	}
	return err
}

// WriteJSON answers with a value.
func WriteJSON(c echo.Context, status int, value any) error {
	body, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return WriteBody(c, status, JSONContentType, body)
}

// Buffer is a pooled byte slice in which an answer is rendered.
type Buffer struct{ B []byte }

// maxPooledBytes keeps rare giants from staying in the pool.
const maxPooledBytes = 256 << 10

var buffers = sync.Pool{New: func() any { return &Buffer{make([]byte, 0, 4<<10)} }}

// TakeBuffer returns an empty buffer, which must be released.
func TakeBuffer() *Buffer {
	buf, _ := buffers.Get().(*Buffer)
	buf.B = buf.B[:0]
	return buf
}

// Release gives the buffer back once its bytes are written.
func (b *Buffer) Release() {
	if cap(b.B) <= maxPooledBytes {
		buffers.Put(b)
	}
}
