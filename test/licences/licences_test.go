// Package licences_test knows the licences of everything that is linked into the programs. It fails where one is not
// allowed, and holds docs/licences.md, NOTICE and THIRD_PARTY_LICENSES to what go.mod says.
package licences_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

var update = flag.Bool("update", false, "write docs/licences.md, NOTICE and THIRD_PARTY_LICENSES again")

// root is the repository.
var root = filepath.Join("..", "..")

// allowed are the licences under which a module may be linked, by their SPDX names: those that ask for no more than to
// be named, and MPL-2.0, which asks for the source of its own files alone; they are linked as their authors publish
// them.
var allowed = map[string]bool{
	"0BSD": true, "Apache-2.0": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "CC0-1.0": true, "ISC": true,
	"MIT": true, "MIT-0": true, "MPL-2.0": true, "Unlicense": true, "Zlib": true,
}

// leastCovered is how much of a file, in percent, must be the text of a known licence. The rest names its owners.
const leastCovered = 75

// systems are those that the programs are built for: a module may be linked on one of them alone.
var systems = []string{"linux", "darwin"}

var (
	licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|unlicense|copying)([.-].*)?$`)
	noticeName  = regexp.MustCompile(`(?i)^notice(\..*)?$`)
)

// module is one that is linked, with its licence files and notices.
type module struct {
	path, version  string
	licences       []string // SPDX names
	texts, notices []string
	dir            string
	packages       map[string]bool
}

// linkedModules are the modules of the packages that the programs have, in the order of their names.
func linkedModules(t *testing.T) []*module {
	t.Helper()
	const format = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}"
	byPath := map[string]*module{}
	for _, system := range systems {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "grpcnotrace", "-f", format, "./cmd/...")
		list.Dir, list.Env = root, append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSpace(line), "\t")
			if len(f) != 4 {
				continue // the standard library, or this module
			}
			m := byPath[f[0]]
			if m == nil {
				m = &module{path: f[0], version: f[1], dir: f[2], packages: map[string]bool{}}
				byPath[f[0]] = m
			}
			m.packages[f[3]] = true
		}
	}
	if len(byPath) == 0 {
		t.Fatal("no modules are linked")
	}
	return slices.SortedFunc(maps.Values(byPath), func(a, b *module) int { return strings.Compare(a.path, b.path) })
}

// read finds the licences and notices of a module: in its folder, and in those of the packages that are linked.
func (m *module) read(t *testing.T) {
	t.Helper()
	folders := map[string]bool{m.dir: true}
	for dir := range m.packages {
		for ; strings.HasPrefix(dir, m.dir+string(filepath.Separator)); dir = filepath.Dir(dir) {
			folders[dir] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if licence := licenceName.MatchString(e.Name()); e.IsDir() || !licence && !noticeName.MatchString(e.Name()) ||
				strings.HasSuffix(path, ".go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if noticeName.MatchString(e.Name()) {
				m.notices = append(m.notices, clean(text))
				continue
			}
			m.addLicence(t, path, text)
		}
	}
	slices.Sort(m.licences)
	if m.licences = slices.Compact(m.licences); len(m.licences) == 0 {
		t.Errorf("%s has no licence file", m.path)
	}
}

func (m *module) addLicence(t *testing.T, path string, text []byte) {
	t.Helper()
	coverage := licensecheck.Scan(text)
	if coverage.Percent < leastCovered {
		t.Errorf("%s: %.0f %% of it is a known licence: read it", path, coverage.Percent)
	}
	for _, match := range coverage.Match {
		if !allowed[match.ID] {
			t.Errorf("%s: the licence %s is not one of those that are allowed", path, match.ID)
		}
		m.licences = append(m.licences, match.ID)
	}
	m.texts = append(m.texts, clean(text))
}

// clean is a text with the ends of its lines as they are here.
func clean(text []byte) string {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	lines := strings.Split(strings.Trim(string(text), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Join(lines, "\n") + "\n"
}

// What is linked into the programs may be, and the pages that say under which licences are those of go.mod.
func TestLicencesAreKnownAndAllowed(t *testing.T) {
	modules := linkedModules(t)
	for _, m := range modules {
		m.read(t)
	}
	for name, text := range map[string]string{
		"docs/licences.md": page(modules), "NOTICE": notice(modules), "THIRD_PARTY_LICENSES": texts(modules),
	} {
		path := filepath.Join(root, name)
		if *update && !t.Failed() {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != text {
			t.Errorf("%s is not that of the modules in go.mod: run make licences (%v)", name, err)
		}
	}
}

// pageHead is the page before its rows, with ' for the marks of code.
const pageHead = `# Licences

Holdfast is licensed under [Apache-2.0](../LICENSE). Its programs contain these modules. Their texts are in
[THIRD_PARTY_LICENSES](../THIRD_PARTY_LICENSES), what they ask to be named in [NOTICE](../NOTICE); images have both in
'/licences'. What 'holdfast dev' and 'demo' fetch from npm, ClickHouse as libchdb, is in none of them.

This page is written by 'make licences'. A licence that is not allowed stops 'make lint'.

| module | version | licence |
|---|---|---|
| Go standard library | | BSD-3-Clause |
`

func page(modules []*module) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(pageHead, "'", "`"))
	for _, m := range modules {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.path, m.version, strings.Join(m.licences, ", "))
	}
	return b.String()
}

const rule = "--------------------------------------------------------------------------------\n"

func notice(modules []*module) string {
	var b strings.Builder
	b.WriteString("Holdfast\nCopyright 2026 the Holdfast authors\n\nIt contains software whose notices follow.\n")
	for _, m := range modules {
		for _, text := range m.notices {
			b.WriteString("\n" + rule + m.path + "\n\n" + text)
		}
	}
	return b.String()
}

// texts are all licences in full. Modules with the same text share it.
func texts(modules []*module) string {
	shared, order := map[string][]string{}, []string{}
	add := func(name, text string) {
		if shared[text] == nil {
			order = append(order, text)
		}
		shared[text] = append(shared[text], name)
	}
	for _, m := range modules {
		for _, text := range m.texts {
			add(m.path, text)
		}
		if m.path == "golang.org/x/sys" { // it has the text of Go itself
			add("the Go standard library", m.texts[0])
		}
	}
	var b strings.Builder
	b.WriteString("The licences of what Holdfast's programs contain.\n")
	for _, text := range order {
		b.WriteString("\n" + rule + strings.Join(slices.Compact(shared[text]), "\n") + "\n\n" + text)
	}
	return b.String()
}
