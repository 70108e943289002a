package engine

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
)

const (
	// maxStatementBytes bounds a statement, including the data of an INSERT … VALUES. The data of an INSERT … FORMAT is
	// not bounded.
	maxStatementBytes = 16 << 20
	// insertHeadBytes of a query are searched for the place where the data of an INSERT begins.
	insertHeadBytes = 256 << 10
	// readTimeout is how long a client may take to send the next bytes of a body.
	readTimeout = time.Minute
)

// request is a query as ClickHouse's HTTP interface accepts it.
type request struct {
	id       string
	database string
	format   string
	// protocolRevision is the newest revision that a client of the Native format can read; 0: none was named.
	protocolRevision int
	compress         bool
	zstd             bool
	// waitEnd asks for the complete result before the first byte is sent (wait_end_of_query).
	waitEnd  bool
	settings []param
	params   []param // values for {name:Type} in the query
	// The query is text, the URL's query parameter, followed by the body.
	text string
	body io.Reader
}

// ignored are parameters of the interface that are accepted and have no effect, because there are no users, quotas or
// buffers.
var ignored = map[string]bool{
	"user": true, "password": true, "quota_key": true, "buffer_size": true, "stacktrace": true, "role": true,
}

func parseRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	q := &request{id: newID(), format: "TabSeparated", database: r.Header.Get("X-ClickHouse-Database")}
	if f := r.Header.Get("X-ClickHouse-Format"); f != "" {
		q.format = f
	}
	parameters, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, fail(codeBadArguments, "BAD_ARGUMENTS", "The query string cannot be read: %s", err)
	}
	decompress := isTrue(lastOf(parameters["decompress"]))
	delete(parameters, "decompress")
	for name, values := range parameters {
		if err := q.set(name, lastOf(values)); err != nil {
			return q, err
		}
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return q, fail(codeNotImplemented, "NOT_IMPLEMENTED",
			"Content-Encoding %s is not taken here; send plain data, or LZ4 with decompress=1", e)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return q, fail(codeNotImplemented, "NOT_IMPLEMENTED", "The embedded ClickHouse takes no external tables")
	}
	q.body = &deadlineReader{http.NewResponseController(w), r.Body}
	if decompress {
		q.body = compressedReader{compress.NewReader(q.body)}
	}
	return q, nil
}

// lastOf is the value of a parameter that may be repeated.
func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// set applies one parameter of the URL. Names that the interface does not know are settings of the query.
func (q *request) set(name, value string) error {
	switch {
	case name == "query":
		q.text = value
	case name == "database":
		q.database = value
	case name == "default_format":
		q.format = value
	case name == "query_id":
		q.id = value
	case name == "client_protocol_version":
		if _, err := fmt.Sscan(value, &q.protocolRevision); err != nil {
			return fail(codeBadArguments, "BAD_ARGUMENTS", "client_protocol_version %q is not a number", value)
		}
	case name == "compress":
		q.compress = isTrue(value)
	case name == "wait_end_of_query":
		q.waitEnd = isTrue(value)
	case name == "session_id" || name == "session_timeout" || name == "session_check":
		return fail(codeNotImplemented, "NOT_IMPLEMENTED",
			"The embedded ClickHouse keeps no sessions; leave %s out", name)
	case strings.HasPrefix(name, "param_"):
		q.params = append(q.params, param{strings.TrimPrefix(name, "param_"), value})
	case !ignored[name]:
		q.zstd = q.zstd || name == "network_compression_method" && strings.EqualFold(value, "ZSTD")
		q.settings = append(q.settings, param{name, value})
	}
	return nil
}

func isTrue(value string) bool { return value == "1" || strings.EqualFold(value, "true") }

// deadlineReader reads a body, each time for at most readTimeout.
type deadlineReader struct {
	control *http.ResponseController
	body    io.Reader
}

// Read implements io.Reader.
func (d *deadlineReader) Read(b []byte) (int, error) {
	if err := d.control.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return 0, err
	}
	n, err := d.body.Read(b)
	if err != nil {
		// From now on net/http reads from the connection to notice when the client disconnects. A deadline that passes
		// would look like that.
		_ = d.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// compressedReader reads ClickHouse's compressed blocks. Its end is io.EOF itself, where the library wraps it.
type compressedReader struct{ *compress.Reader }

// Read implements io.Reader.
func (c compressedReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

// bodyError is ClickHouse's error for a body that cannot be read to its end.
func bodyError(err error) error {
	if _, ok := errors.AsType[*compress.CorruptedDataErr](err); ok {
		return fail(codeChecksum, "CHECKSUM_DOESNT_MATCH", "The body is not what was compressed: %s", err)
	}
	return fail(codeBadData, "INCORRECT_DATA", "The body cannot be read to its end: %s", err)
}

// statement reads the query. For an INSERT … FORMAT it returns the INSERT and its data as a stream; for every other
// statement it returns the whole text, and data is nil.
func (q *request) statement() (text string, in insertText, data io.Reader, err error) {
	head, err := q.head()
	if err != nil {
		return "", insertText{}, nil, err
	}
	if in, ok := splitInsert(head); ok {
		return "", in, io.MultiReader(strings.NewReader(in.data), q.body), nil
	}
	remaining, err := io.ReadAll(io.LimitReader(q.body, maxStatementBytes+1))
	if err != nil {
		return "", insertText{}, nil, bodyError(err)
	}
	text = head + string(remaining)
	if len(text) > maxStatementBytes {
		return "", insertText{}, nil, fail(codeTooLarge, "TOO_BIG_AST",
			"The query is longer than %d bytes; send data by INSERT … FORMAT", maxStatementBytes)
	}
	return text, insertText{}, nil, nil
}

// head reads enough of the query to tell whether it is an INSERT with data.
func (q *request) head() (string, error) {
	if q.text != "" {
		if _, ok := splitInsert(q.text); ok {
			return q.text, nil
		}
		q.text += "\n"
	}
	head := make([]byte, insertHeadBytes)
	n, err := fill(q.body, head)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", bodyError(err)
	}
	return q.text + string(head[:n]), nil
}

// fill reads until buf is full or the body ends. The error is io.EOF where the body ended properly, and another one
// where it broke off; io.ReadFull does not distinguish these.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}
