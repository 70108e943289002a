package ndjson

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestALineHasItsIDFirst(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":"x","id":"k","body":{"id":1}}`: `{"id":"k","type":"x","body":{"id":1}}`,
		`{"id":"a\"\u00e4"}`:                    `{"id":"a\"ä"}`,
		` {"type" : "x" } `:                     `{"id":"derived","type":"x"}`,
		`{"id":"","type":"x"}`:                  `{"id":"derived","type":"x"}`,
	} {
		c, problem := parse(line{number: 1, text: []byte(text), bytes: len(text)}, "derived")
		if problem != nil || string(c.text) != want {
			t.Errorf("%s: %s, %v; want %s", text, c.text, problem, want)
		}
	}
}

func TestLinesThatAreNotSent(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":`: "malformed_json", `{}{}`: "malformed_json", `{} x`: "malformed_json", `nope`: "malformed_json",
		"{\"id\":\"\xff\"}": "malformed_json", `{"id":"a","id":"b"}`: "duplicate_field",
		`[]`: "wrong_type", `{"id":null}`: "wrong_type",
		`{"a":"` + strings.Repeat("x", MaxLineBytes-8) + `"}`: "line_too_long", // fits only without the id that it gets
	} {
		_, problem := parse(line{number: 1, text: []byte(text), bytes: len(text)}, "derived")
		if problem == nil || problem.Code != want {
			t.Errorf("%.40s: %v, want %s", text, problem, want)
		}
	}
}

// A file that cannot be read to its end is refused before anything is sent. The error has the line.
func TestATornFileIsAnError(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(bytes.Repeat([]byte("{}\n"), 100))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "torn.gz")
	if err := os.WriteFile(path, packed.Bytes()[:packed.Len()-4], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, nil); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "line ") {
		t.Error(err)
	}
}

func TestTheStandardInputLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f, err := Open(Stdin, strings.NewReader("{}\n\n{}"))
	if err != nil || f.Lines != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if _, err := Open(Stdin, io.MultiReader(strings.NewReader("{}"), torn{})); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// The ID of a line that has none does not depend on compression, and differs between files.
func TestDerivedIDsStandForTheContent(t *testing.T) {
	dir := t.TempDir()
	id := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return f.id(1)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte("{}\n{}"))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	plain := id("a.ndjson", "{}\n{}")
	if got := id("b.gz", packed.String()); got != plain {
		t.Errorf("compressed: %s, plain: %s", got, plain)
	}
	if got := id("c.ndjson", "{}\n{} "); got == plain {
		t.Error("another file has the same ID")
	}
	if want := "file-8384c3416334fdeac97a1facd407750c-1"; plain != want {
		t.Errorf("%s, was %s: files that were imported before are not recognised any more", plain, want)
	}
}

// A file says how many of its lines would be done twice if they came again in another file.
func TestLinesWithoutIDsAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.ndjson")
	text := `{"type":"receive_stock","sku":"A","body":{"quantity":1}}` + "\n" +
		`{"type":"receive_stock","id":"r","sku":"A","body":{"quantity":1}}` + "\n" +
		`{"type":"ship_order","order_id":"x"}` + "\n" +
		`{"type": "register_item","sku":"A"}` + "\n" + `{"sku":"A","type":"set_safety_stock"}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, nil)
	if err != nil || f.Lines != 5 || f.Unnamed != 2 {
		t.Errorf("%+v, %v", f, err)
	}
}
