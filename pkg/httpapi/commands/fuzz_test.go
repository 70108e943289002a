package commands

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// clientsFault fails unless an error is a problem of the client's making.
func clientsFault(t *testing.T, err error) {
	t.Helper()
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.HTTPStatus() < 400 || p.HTTPStatus() > 499 {
		t.Fatalf("not a problem of the client's making: %v", err)
	}
}

// FuzzHeaders: If-Match is a version, nothing or a problem; waits stay within their limit.
func FuzzHeaders(f *testing.F) {
	f.Add(`"3"`, "wait=5, respond-async")
	f.Add("W/\"3\"", "wait=99999999999999999999")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, ifMatch, prefer string) {
		header := http.Header{"If-Match": {ifMatch}, "Prefer": {prefer}}
		if _, err := parseIfMatch(header); err != nil {
			clientsFault(t, err)
		}
		if p := parsePrefer(header); p.wait <= 0 || p.wait > httpapi.MaxWait {
			t.Fatalf("%q: %+v", prefer, p)
		}
	})
}

// FuzzBulkLines: a stream's lines are those that stand in it, or it ends at one that is too long.
func FuzzBulkLines(f *testing.F) {
	f.Add([]byte("{}\r\n\n {} \n{"))
	f.Add(bytes.Repeat([]byte("x"), limits.MaxBulkLineBytes+1))
	f.Fuzz(func(t *testing.T, body []byte) {
		lines := lineReader{reader: bufio.NewReaderSize(bytes.NewReader(body), 16)}
		for rest := body; ; {
			line, err := lines.next()
			if errors.Is(err, errLineTooLong) {
				return
			}
			want, after, _ := bytes.Cut(rest, []byte("\n"))
			if rest = after; !bytes.Equal(line, trimSpace(want)) || cap(lines.long) > 4*limits.MaxBulkLineBytes {
				t.Fatalf("%.80q instead of %.80q", line, want)
			}
			if errors.Is(err, io.EOF) {
				if len(rest) > 0 {
					t.Fatalf("%d bytes are left", len(rest))
				}
				return
			}
		}
	})
}
