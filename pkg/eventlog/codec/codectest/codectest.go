// Package codectest has the golden events, for tests of their readers: a value of each event, of each version that was
// ever written.
package codectest

import (
	"encoding/hex"
	"os"
	"path/filepath"
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
	paths, err := filepath.Glob(filepath.Join(moduleRoot(t), "pkg", "eventlog", "codec", "testdata", "*.golden"))
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

// moduleRoot is the folder of go.mod. A test runs in the folder of its package, somewhere below it.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
