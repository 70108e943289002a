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
	// maxStatementBytes bounds a statement, and the data of an INSERT … VALUES; data in a format is not bounded.
	maxStatementBytes = 16 << 20
	// insertHeadBytes are looked at to find where the data of an INSERT begins.
	insertHeadBytes = 256 << 10
	// slowestRead is how long a client may take to send the next piece of a body.
	slowestRead = time.Minute
)

// request is a query as ClickHouse's HTTP interface takes it.
type request struct {
	id       string
	database string
	format   string
	protocol int // what the client would read; 0: no Native headers
	compress bool
	zstd     bool
	// whole asks for the complete result before the first byte.
	whole    bool
	settings []param
	params   []param
	// text is the query parameter; body follows it.
	text string
	body io.Reader
}

// Parameters of the interface itself that are taken and mean nothing here: there are no users, quotas or
// buffers.
var ignored = map[string]bool{"user": true, "password": true, "quota_key": true, "buffer_size": true, "stacktrace": true, "role": true}

func parseRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	q := &request{id: newID(), format: "TabSeparated", database: r.Header.Get("X-ClickHouse-Database")}
	if f := r.Header.Get("X-ClickHouse-Format"); f != "" {
		q.format = f
	}
	parameters, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, fail(codeBadArguments, "BAD_ARGUMENTS", "The query string cannot be read: %s", err)
	}
	decompress := false
	for name, values := range parameters {
		value := values[len(values)-1]
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
			if _, err := fmt.Sscan(value, &q.protocol); err != nil {
				return q, fail(codeBadArguments, "BAD_ARGUMENTS", "client_protocol_version %q is not a number", value)
			}
		case name == "compress":
			q.compress = isTrue(value)
		case name == "decompress":
			decompress = isTrue(value)
		case name == "wait_end_of_query":
			q.whole = isTrue(value)
		case strings.HasPrefix(name, "session_"):
			return q, fail(codeNotImplemented, "NOT_IMPLEMENTED", "The embedded ClickHouse keeps no sessions; leave %s out", name)
		case strings.HasPrefix(name, "param_"):
			q.params = append(q.params, param{strings.TrimPrefix(name, "param_"), value})
		case !ignored[name]:
			q.zstd = q.zstd || name == "network_compression_method" && strings.EqualFold(value, "ZSTD")
			q.settings = append(q.settings, param{name, value})
		}
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return q, fail(codeNotImplemented, "NOT_IMPLEMENTED", "Content-Encoding %s is not taken here; send plain data, or LZ4 with decompress=1", e)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return q, fail(codeNotImplemented, "NOT_IMPLEMENTED", "The embedded ClickHouse takes no external tables")
	}
	q.body = &patientReader{http.NewResponseController(w), r.Body}
	if decompress {
		q.body = frames{compress.NewReader(q.body)}
	}
	return q, nil
}

func isTrue(value string) bool { return value == "1" || strings.EqualFold(value, "true") }

// patientReader gives a client slowestRead for each piece.
type patientReader struct {
	control *http.ResponseController
	body    io.Reader
}

// Read implements io.Reader.
func (p *patientReader) Read(b []byte) (int, error) {
	if err := p.control.SetReadDeadline(time.Now().Add(slowestRead)); err != nil {
		return 0, err
	}
	n, err := p.body.Read(b)
	if err != nil {
		// From here on the server looks whether the client is still there, and a deadline would look as if not.
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// frames reads compressed data, with an end that is io.EOF itself.
type frames struct{ *compress.Reader }

// Read implements io.Reader.
func (f frames) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

// bodyError is what is wrong with a body that cannot be read to its end.
func bodyError(err error) error {
	if _, ok := errors.AsType[*compress.CorruptedDataErr](err); ok {
		return fail(codeChecksum, "CHECKSUM_DOESNT_MATCH", "The body is not what was compressed: %s", err)
	}
	return fail(codeBadData, "INCORRECT_DATA", "The body cannot be read to its end: %s", err)
}

// statement reads the query: an INSERT … FORMAT with its data as a stream, or the whole text of something else.
func (q *request) statement() (text string, in insertText, data io.Reader, err error) {
	head, err := q.head()
	if err != nil {
		return "", insertText{}, nil, err
	}
	if in, ok := splitInsert(head); ok {
		return "", in, io.MultiReader(strings.NewReader(in.data), q.body), nil
	}
	rest, err := io.ReadAll(io.LimitReader(q.body, maxStatementBytes+1))
	if err != nil {
		return "", insertText{}, nil, bodyError(err)
	}
	text = head + string(rest)
	if len(text) > maxStatementBytes {
		return "", insertText{}, nil, fail(codeTooLarge, "TOO_BIG_AST", "The query is longer than %d bytes; send data by INSERT … FORMAT", maxStatementBytes)
	}
	return text, insertText{}, nil, nil
}

// head is the query as far as it is needed to see what it is.
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

// fill reads until buf is full, or the body ends: io.EOF, or breaks: another error. io.ReadFull tells neither
// from the other.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}
