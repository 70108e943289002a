package ndjson

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzParse: a line is sent as JSON of legal length under its ID, or rejected with a problem. Parsing what is sent
// again changes nothing.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"id":"k","type":"receive_stock","sku":"A1","body":{"quantity":5}}`,
		`{"type":"x"}`, `{"id":7}`, `[]`, `{"id":"\ud800"}`, `{}{}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, problem := parse(line{number: 1, text: text, bytes: len(text)}, "derived")
		if problem != nil {
			status := problem.HTTPStatus()
			if status < 400 || status > 499 || !jsontext.Value(problem.AppendJSON(nil)).IsValid() {
				t.Fatalf("%+v", problem)
			}
			var out bytes.Buffer
			if err := writeReject(&out, c, problem.AppendJSON(nil)); err != nil || !jsontext.Value(out.Bytes()).IsValid() {
				t.Fatalf("%v: %s", err, out.Bytes())
			}
			return
		}
		if c.id == "" || len(c.text) > MaxLineBytes || !jsontext.Value(c.text).IsValid() {
			t.Fatalf("%q is sent as %s", text, c.text)
		}
		again, problem := parse(line{number: 1, text: c.text, bytes: len(c.text)}, "other")
		if problem != nil || again.id != c.id || string(again.text) != string(c.text) {
			t.Fatalf("%v: %s, then %s", problem, c.text, again.text)
		}
	})
}

// FuzzLines: lines are unchanged, not longer than the limit, and not empty.
func FuzzLines(f *testing.F) {
	f.Add([]byte("\ufeff{}\r\n\n {} \n"))
	f.Add(bytes.Repeat([]byte("x"), 100<<10))
	f.Fuzz(func(t *testing.T, file []byte) {
		r := &lineReader{path: "fuzz", in: bufio.NewReaderSize(bytes.NewReader(file), 16)}
		for last := 0; ; {
			l, err := r.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil || l.number <= last || len(l.text) == 0 || len(l.text) > MaxLineBytes+1 ||
				!bytes.Contains(file, l.text) {
				t.Fatalf("%v: line %d after %d is %q", err, l.number, last, l.text)
			}
			last = l.number
		}
	})
}
