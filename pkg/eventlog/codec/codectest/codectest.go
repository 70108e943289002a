// Package codectest has the golden events, for tests of their readers: a value of each event, of each version that was
// ever written.
package codectest

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Sample is an event as the log has it.
type Sample struct {
	// Type is its CloudEvents type.
	Type  string
	Value []byte
}

// Samples reads the golden files.
func Samples(t testing.TB) []Sample {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(here), "..", "testdata", "*.golden"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden events: %v", err)
	}
	samples := make([]Sample, len(paths))
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Fields(string(text))
		samples[i].Type = lines[0]
		if samples[i].Value, err = hex.DecodeString(strings.Join(lines[1:], "")); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return samples
}
