package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/ndjson"
	"github.com/holdfast/holdfast/test/freeport"
)

func TestImportNDJSONSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	nobody := "http://" + freeport.Address(t)
	api := api(t, "/v1/commands", http.StatusOK, "")
	noAPI := api[:strings.LastIndexByte(api, ':')] + nobody[strings.LastIndexByte(nobody, ':'):]
	file := filepath.Join(dir, "commands.ndjson")
	packed := filepath.Join(dir, "commands.gz")
	for path, text := range map[string]string{file: `{"id":"k","type":"register_item","sku":"A1"}`, packed: "plain"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--url names another", []string{file, "--url", noAPI}},
		{"no such file", []string{filepath.Join(dir, "none"), "--url", api}},
		{"is a directory", []string{dir, "--url", api}},
		{"decompress", []string{packed, "--url", api}},
		{"--rejects names another", []string{file, "--url", api, "--rejects", filepath.Join(dir, "none", "x")}},
		{"--rejects names the file that is read", []string{file, "--url", api, "--rejects", file}},
	} {
		holdfastFails(t, c.want, append([]string{"import", "ndjson"}, c.args...)...)
	}
}

// A refusal of the whole request ends the import at once.
func TestImportNDJSONEndsAtARefusalForGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "commands.ndjson")
	if err := os.WriteFile(file, []byte(`{"id":"k","type":"register_item","sku":"A1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	url := api(t, "/v1/commands", http.StatusUnsupportedMediaType, `{"code":"unsupported_media_type"}`)
	holdfastFails(t, "unsupported_media_type", "import", "ndjson", file, "--url", url)
}

// The name of who asks is wrong, and not the address of the API.
func TestImportNDJSONRefusesABadActor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "commands.ndjson")
	if err := os.WriteFile(file, []byte(`{"id":"k","type":"register_item","sku":"A1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	url := api(t, "/v1/commands", http.StatusBadRequest, `{"code":"invalid_actor","title":"Holdfast-Actor is not valid",`+
		`"detail":"The header Holdfast-Actor holds control characters."}`)
	holdfastFails(t, "import ndjson: Holdfast-Actor is not valid (invalid_actor)\n  The header",
		"import", "ndjson", file, "--url", url, "--actor", "\u0085")
}

func TestRejectsLieBesideTheirFile(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.ndjson.gz": "a/b.rejects.ndjson",
		"b.jsonl":       "b.rejects.ndjson",
		"b":             "b.rejects.ndjson",
		"-":             "stdin.rejects.ndjson",
	} {
		if got := rejectsFile(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// Lines without ids are known by their file alone, which is said before they are sent.
func TestImportNDJSONWarnsOfLinesWithoutIDs(t *testing.T) {
	var out strings.Builder
	warnUnnamed(&out, &ndjson.File{Lines: 2_000, Unnamed: 1_000})
	if !strings.HasPrefix(out.String(), "warning: 1,000 of 2,000 lines have no id. ") {
		t.Error(out.String())
	}
	out.Reset()
	if warnUnnamed(&out, &ndjson.File{Lines: 2_000}); out.Len() > 0 {
		t.Error(out.String())
	}
}
