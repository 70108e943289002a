package architecture_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// entry is a row of the glossary in ARCHITECTURE.md: a word that has one meaning, and the folders whose names may use
// it.
type entry struct {
	word    string
	folders []string
}

// glossary reads the table below "## Glossary": word, meaning, and where identifiers use it.
func glossary(t *testing.T) (entries []entry, retired []string) {
	t.Helper()
	_, text, ok := strings.Cut(file(t, "ARCHITECTURE.md"), "\n## Glossary\n")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no glossary")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	row := regexp.MustCompile(`(?m)^\| \*\*([a-z ]+)\*\* \|[^|]*\|([^|]*)\|$`)
	code := regexp.MustCompile("`([^`]+)`")
	for _, match := range row.FindAllStringSubmatch(text, -1) {
		e := entry{word: match[1]}
		for _, folder := range code.FindAllStringSubmatch(match[2], -1) {
			e.folders = append(e.folders, folder[1])
		}
		entries = append(entries, e)
	}
	_, list, ok := strings.Cut(text, "\nWords that no name uses:")
	if !ok || len(entries) == 0 {
		t.Fatal("the glossary has no table, or no list of words that no name uses")
	}
	list, _, _ = strings.Cut(list, "\n\n")
	for _, word := range code.FindAllStringSubmatch(list, -1) {
		retired = append(retired, word[1])
	}
	return entries, retired
}

// wordsOf takes a name apart: "resumeCursor" is "resume" and "cursor".
func wordsOf(name string) []string {
	var words []string
	start := 0
	for i, r := range name {
		if i > start && (r == '_' || unicode.IsUpper(r) && !unicode.IsUpper(rune(name[i-1]))) {
			words = append(words, name[start:i])
			start = i
		}
	}
	words = append(words, name[start:])
	for i, word := range words {
		words[i] = strings.ToLower(strings.Trim(word, "_"))
	}
	return words
}

// names are those that a folder's files declare, tests and generated files aside, each with where it is.
func names(t *testing.T, folder string) map[string]token.Position {
	t.Helper()
	declared := map[string]token.Position{}
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(parsed) {
			continue
		}
		declared[strings.TrimSuffix(filepath.Base(path), ".go")] = token.Position{Filename: path}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Obj != nil && id.Obj.Pos() == id.Pos() {
				declared[id.Name] = set.Position(id.Pos())
			}
			switch n := n.(type) {
			case *ast.FuncDecl: // methods have no Obj
				declared[n.Name.Name] = set.Position(n.Pos())
			case *ast.Field:
				for _, name := range n.Names {
					declared[name.Name] = set.Position(name.Pos())
				}
			}
			return true
		})
	}
	return declared
}

// One word means one thing: names use a word of the glossary only in the folders that it belongs to, and words that
// were retired nowhere.
func TestNamesKeepToTheGlossary(t *testing.T) {
	entries, retired := glossary(t)
	for _, p := range packages(t) {
		folder := p.place()
		if strings.HasPrefix(folder, "schemas/") {
			continue
		}
		declared := names(t, folder)
		for _, name := range slices.Sorted(maps.Keys(declared)) {
			at := declared[name]
			words := wordsOf(name)
			for _, e := range entries {
				if len(e.folders) > 0 && slices.ContainsFunc(words, func(w string) bool { return forms(e.word, w) }) &&
					!slices.ContainsFunc(e.folders, func(f string) bool { return below(folder, f) }) {
					t.Errorf("%s: %s uses the word %q, which belongs to %v", at, name, e.word, e.folders)
				}
			}
			for _, word := range retired {
				if strings.EqualFold(name, word) || slices.Contains(words, strings.ToLower(word)) {
					t.Errorf("%s: %s uses %q, a word that no name uses (ARCHITECTURE.md, glossary)", at, name, word)
				}
			}
		}
	}
}

// forms reports whether a word is a form of a glossary's word: hold, holds, held is not asked of a machine, so plural,
// -ing and -ed alone.
func forms(base, word string) bool {
	stem := strings.TrimSuffix(base, "e")
	return slices.Contains([]string{base, base + "s", stem + "ed", stem + "ing", stem + "er"}, word)
}
