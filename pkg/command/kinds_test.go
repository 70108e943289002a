package command

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// Every code that the rules and the shards can give stands in the table.
func TestEveryCodeHasAKind(t *testing.T) {
	for _, file := range []string{"../order/errors.go", "../inventory/errors.go", "../shard/command.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) == 0 {
				return true
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				return true
			}
			code, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := kinds[code]; !ok {
				t.Errorf("%s: %s is not in the table", file, code)
			}
			return true
		})
	}
	for _, code := range Codes() {
		if kind := KindOf(code); kind.Status < 400 || kind.Title == "" {
			t.Errorf("%s: %+v", code, kind)
		}
	}
}

func TestAppendStringIsJSON(t *testing.T) {
	for in, want := range map[string]string{
		"plain": `"plain"`, "a\"b\\c": `"a\"b\\c"`, "\x00\n\t\r\x1f": `"\u0000\n\t\r\u001f"`,
		"é€😀": `"é€😀"`, "bad\xffend": "\"bad\ufffdend\"", "": `""`, "\xe2\x82": "\"\ufffd\ufffd\"",
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
