// Package architecture_test holds the packages to their places: who may import what.
package architecture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/holdfast/holdfast/"

type pkg struct {
	Name       string
	ImportPath string

	Imports, Deps []string
}

// place is a package's folder.
func (p *pkg) place() string { return strings.TrimPrefix(p.ImportPath, module) }

// packages lists those of this module, with what they import outside tests, directly and altogether.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed(found(t, "Makefile", `(?m)^TAGS := (\S+)$`)[0])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	listing sync.Once
	all     []pkg
	failed  error
)

// listed asks the go command once: it takes seconds.
func listed(tags string) ([]pkg, error) {
	listing.Do(func() {
		var out []byte
		out, failed = exec.Command("go", "list", "-tags", tags, "-json=Name,ImportPath,Imports,Deps", module+"...").Output()
		for dec := json.NewDecoder(bytes.NewReader(out)); failed == nil; {
			var p pkg
			if failed = dec.Decode(&p); failed == nil {
				all = append(all, p)
			}
		}
		if errors.Is(failed, io.EOF) {
			failed = nil
		}
	})
	return all, failed
}

func standard(path string) bool { return !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") }

// The domain knows no library but that of Unicode's forms, which is Go's own.
func TestTheDomainImportsTheStandardLibraryOnly(t *testing.T) {
	leaves := []string{"pkg/money", "pkg/limits", "pkg/metadata"}
	const forms = "golang.org/x/text/unicode/norm"
	domain := append([]string{"pkg/order", "pkg/inventory"}, leaves...)
	for _, p := range packages(t) {
		if !slices.Contains(domain, strings.TrimPrefix(p.ImportPath, module)) {
			continue
		}
		for _, i := range p.Imports {
			if !standard(i) && i != forms && !slices.Contains(leaves, strings.TrimPrefix(i, module)) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// Who may import a library or package directly; a folder allows what is below it.
var importers = map[string][]string{
	"github.com/twmb/franz-go":            {"pkg/eventlog", "pkg/devstack"},
	"github.com/labstack/echo":            {"pkg/httpapi"},
	"github.com/ClickHouse/clickhouse-go": {"pkg/clickhouse"},
	"github.com/ClickHouse/ch-go":         {"pkg/clickhouse", "pkg/devstack/chdb/engine"},
	"github.com/cockroachdb/pebble": {
		"pkg/shard/internal/checkpoint", "pkg/orderview", "pkg/localstore", "pkg/stockledger",
		"pkg/verify",
	},
	"github.com/ebitengine/purego":            {"pkg/devstack/chdb/engine"},
	"github.com/spf13/cobra":                  {"cmd/holdfast"},
	"go.opentelemetry.io/otel":                {"pkg/tracing", "pkg/service"},
	module + "pkg/eventlog/logtest":           {}, // tests alone
	module + "pkg/eventlog/codec/codectest":   {}, // likewise
	module + "pkg/devstack/chdb/chdbtest":     {},
	module + "pkg/httpapi/apitest":            {},
	module + "pkg/eventlog/schema/schematest": {},
}

func TestOneImporterEach(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			for library, allowed := range importers {
				if below(i, library) && !slices.ContainsFunc(allowed,
					func(folder string) bool { return below(p.place(), folder) }) {
					t.Errorf("%s imports %s; only %v may", p.place(), i, allowed)
				}
			}
		}
	}
}

// Views fold the event schema: they import neither the write side nor its rules.
func TestViewsNeverImportTheWriteSide(t *testing.T) {
	writeSide := []string{"pkg/shard", "pkg/order", "pkg/inventory", "pkg/command", "pkg/eventlog/codec",
		"pkg/httpapi/commands"}
	views := []string{
		"pkg/availability", "pkg/orderview", "pkg/stockledger", "pkg/projector", "pkg/verify", "pkg/analytics",
		"pkg/clickhouse",
		"pkg/insight", "pkg/replay", "pkg/live",
		"pkg/httpapi/queries",
	}
	for _, p := range packages(t) {
		if !slices.ContainsFunc(views, func(folder string) bool { return below(p.place(), folder) }) {
			continue
		}
		for _, i := range p.Deps {
			if place, ours := strings.CutPrefix(i, module); ours && slices.Contains(writeSide, place) {
				t.Errorf("%s needs %s", p.place(), place)
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

// links says which programs may link a package, with all that is below it. What no row names, any program may.
var links = map[string][]string{
	module + "pkg/shard":                  {"order-api", "holdfast"},
	module + "pkg/command":                {"order-api", "holdfast"},
	module + "pkg/httpapi/commands":       {"order-api", "holdfast"},
	"google.golang.org/grpc":              {"order-api", "holdfast"},
	module + "pkg/httpapi/queries":        {"query-api", "holdfast"},
	module + "pkg/orderview":              {"query-api", "holdfast"},
	module + "pkg/localstore":             {"order-api", "query-api", "holdfast"},
	"github.com/cockroachdb/pebble":       {"order-api", "query-api", "holdfast"},
	module + "pkg/clickhouse":             {"analytics-projector", "query-api", "holdfast"},
	module + "pkg/analytics":              {"analytics-projector", "query-api", "holdfast"},
	module + "pkg/insight":                {"analytics-projector", "query-api", "holdfast"},
	module + "pkg/live":                   {"query-api", "holdfast"},
	module + "pkg/replay":                 {"analytics-projector", "query-api", "holdfast"},
	"github.com/ClickHouse/clickhouse-go": {"analytics-projector", "query-api", "holdfast"},
	module + "pkg/availability":           {"inventory-projector", "query-api", "holdfast"},
	module + "pkg/devstack":               {"holdfast"},
	module + "pkg/verify":                 {"holdfast"},
	module + "pkg/inspect":                {"holdfast"},
	module + "pkg/client":                 {"holdfast"},
	"github.com/twmb/franz-go/pkg/kfake":  {"holdfast"},
	"github.com/spf13/cobra":              {"holdfast"},
	// It needs the C library's loader at run time, and the images of the services have nothing but the program.
	"github.com/ebitengine/purego": {"holdfast"},
	// They keep every exported method of every type from being dropped by the linker.
	"html/template": {"holdfast"},
	"text/template": {"holdfast"},
}

// Each program links what it needs, and nothing else. Those below test are for tests alone.
func TestProgramsLinkWhatTheyNeed(t *testing.T) {
	for _, p := range packages(t) {
		program, shipped := strings.CutPrefix(p.place(), "cmd/")
		if p.Name != "main" || !shipped {
			continue
		}
		for _, d := range p.Deps {
			for library, allowed := range links {
				if below(d, library) && !slices.Contains(allowed, program) {
					t.Errorf("%s links %s; only %v may", program, d, allowed)
				}
			}
		}
	}
}

// noEmbedded is the tag that leaves the embedded broker and ClickHouse out of holdfast, so that it is static.
const noEmbedded = "noembedded"

func TestWithoutTheEmbeddedStackHoldfastIsStatic(t *testing.T) {
	tags := found(t, "Makefile", `(?m)^TAGS := (\S+)$`)[0] + "," + noEmbedded
	list := exec.Command("go", "list", "-deps", "-tags", tags, module+"cmd/holdfast")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := range strings.Lines(string(out)) {
		for _, left := range []string{
			"github.com/ebitengine/purego", "github.com/twmb/franz-go/pkg/kfake", module + "pkg/devstack", "runtime/cgo",
		} {
			if below(strings.TrimSpace(d), left) {
				t.Errorf("with -tags %s it links %s", tags, d)
			}
		}
	}
}

// below reports whether a path is a folder, or inside of it. Libraries carry their major version at the end.
func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// sizes bound each program without symbols, in millions of bytes: images are pulled, and a dependency that comes along
// unnoticed shows here.
var sizes = []struct {
	program, tag string
	most         int64
}{
	{"inventory-projector", "", 20}, {"analytics-projector", "", 30}, {"query-api", "", 30}, {"order-api", "", 30},
	{"holdfast", "", 55}, {"holdfast", noEmbedded, 50},
}

func TestProgramsAreSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("links every program")
	}
	dir := t.TempDir()
	tags := found(t, "Makefile", `(?m)^TAGS := (\S+)$`)[0]
	if inImages := found(t, "Dockerfile", `TAGS=(\S+)`)[0]; inImages != tags {
		t.Errorf("Dockerfile builds with -tags %s, Makefile with %s", inImages, tags)
	}
	for _, s := range sizes {
		folder := filepath.Join(dir, s.tag)
		file := filepath.Join(folder, s.program)
		build := exec.Command("../../scripts/build.sh", folder, strings.Trim(tags+","+s.tag, ","), s.program)
		build.Env = append(os.Environ(), "STRIP=1", "VERSION=v1.2.3", "COMMIT=0123456789ab")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", s.program, err, out)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %s: %.1f MB", s.program, s.tag, float64(info.Size())/1e6)
		if info.Size() > s.most*1_000_000 {
			t.Errorf("%s %s has %d bytes; at most %d million are allowed", s.program, s.tag, info.Size(), s.most)
		}
	}
}
