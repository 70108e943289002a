// Package architecture_test holds the packages to their places: who may import what.
package architecture_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/holdfast/holdfast/"

type pkg struct {
	Name       string
	ImportPath string

	Imports, Deps []string
}

// packages lists those of this module, with what they import outside tests, directly and altogether.
func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=Name,ImportPath,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func standard(path string) bool { return !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") }

func TestTheDomainImportsTheStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		switch strings.TrimPrefix(p.ImportPath, module) {
		case "pkg/order", "pkg/inventory", "pkg/money":
		default:
			continue
		}
		for _, i := range p.Imports {
			if !standard(i) && i != module+"pkg/money" {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

func TestOneImporterEach(t *testing.T) {
	owners := map[string][]string{
		"github.com/twmb/franz-go":              {"pkg/eventlog", "pkg/devstack", "pkg/eventlog/logtest"},
		module + "pkg/eventlog/logtest":         {}, // tests alone
		module + "pkg/eventlog/codec/codectest": {}, // likewise
		module + "pkg/devstack/chdb/chdbtest":   {},
		"github.com/labstack/echo":              {"pkg/httpapi", "pkg/httpapi/api"},
		"github.com/ClickHouse/clickhouse-go":   {"pkg/clickhouse"},
		"github.com/cockroachdb/pebble":         {"pkg/shard", "pkg/orderview", "pkg/localstore"},
		"github.com/ClickHouse/ch-go":           {"pkg/clickhouse", "pkg/devstack/chdb/engine"},
		"github.com/ebitengine/purego":          {"pkg/devstack/chdb/engine"},
	}
	for _, p := range packages(t) {
		place := strings.TrimPrefix(p.ImportPath, module)
		for _, i := range p.Imports {
			for library, allowed := range owners {
				if strings.HasPrefix(i, library) && !contains(allowed, place) {
					t.Errorf("%s imports %s; only %v may", place, i, allowed)
				}
			}
		}
	}
}

func TestViewsNeverImportTheWriteSide(t *testing.T) {
	writeSide := []string{"pkg/shard", "pkg/order", "pkg/inventory", "pkg/command", "pkg/eventlog/codec"}
	for _, p := range packages(t) {
		place := strings.TrimPrefix(p.ImportPath, module)
		if !contains([]string{"pkg/availability", "pkg/orderview", "pkg/projector", "pkg/verify", "pkg/analytics", "pkg/clickhouse"}, place) {
			continue
		}
		for _, i := range p.Imports {
			if contains(writeSide, strings.TrimPrefix(i, module)) {
				t.Errorf("%s imports %s", place, i)
			}
		}
	}
}

func TestOnlyCommandsWire(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module+"cmd/") && !strings.HasPrefix(p.ImportPath, module+"cmd/") {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// A program that links purego needs the C library's loader at run time, and the images of the services hold nothing but
// the program.
func TestServicesAreStatic(t *testing.T) {
	for _, p := range packages(t) {
		place := strings.TrimPrefix(p.ImportPath, module)
		if p.Name != "main" || place == "cmd/holdfast" {
			continue
		}
		for _, d := range p.Deps {
			if strings.HasPrefix(d, "github.com/ebitengine/purego") {
				t.Errorf("%s is linked against %s", place, d)
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
