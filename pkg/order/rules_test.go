package order

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every rule has one number, and a test that is named for it. No test is named for a rule that does not exist.
func TestEveryRuleHasATest(t *testing.T) {
	for prefix, dir := range map[string]string{"ORD": ".", "INV": filepath.Join("..", "inventory")} {
		rules, tested := map[int]string{}, map[int]bool{}
		for name, text := range sources(t, dir) {
			if strings.HasSuffix(name, "_test.go") {
				for _, test := range matches(text, `(?m)^func Test(`+prefix+`\w+)`) {
					for _, rule := range matches(test[1], prefix+`(\d+)`) {
						tested[number(t, rule[1])] = true
					}
				}
				continue
			}
			for _, rule := range matches(text, `(?m)^//\t`+prefix+`-(\d+) `) {
				n := number(t, rule[1])
				if other, again := rules[n]; again {
					t.Errorf("%s-%d is in %s and in %s", prefix, n, other, name)
				}
				rules[n] = name
			}
		}
		if len(rules) < 30 {
			t.Errorf("only %d rules of %s were found", len(rules), prefix)
		}
		for rule, file := range rules {
			if !tested[rule] {
				t.Errorf("no test is named for %s-%d of %s", prefix, rule, file)
			}
		}
		for rule := range tested {
			if rules[rule] == "" {
				t.Errorf("a test is named for %s-%d, which is no rule", prefix, rule)
			}
		}
	}
}

// Decide has a case for every command: it does not call them through their interface.
func TestDecideKnowsEveryCommand(t *testing.T) {
	for _, dir := range []string{".", filepath.Join("..", "inventory")} {
		texts, commands := sources(t, dir), 0
		for name, text := range texts {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, command := range matches(text, `(?m)^func \((?:\w+ )?(\w+)\) decide\(`) {
				commands++
				if !strings.Contains(texts["decide.go"], "\n\tcase "+command[1]+":\n") {
					t.Errorf("Decide of %s has no case for %s of %s", dir, command[1], name)
				}
			}
		}
		if commands < 10 {
			t.Errorf("only %d commands were found in %s", commands, dir)
		}
	}
}

const rulesHead = `# Rules

Every rule of stock and of orders, by number, as it stands above its command in ` + "`pkg/inventory`" + ` and ` +
	"`pkg/order`" + `. Each has a
test that is named for it. This page is made from the code: ` + "`go test ./pkg/order -update`" + `.
`

// The page of rules has the rules as they stand in the code.
func TestThePageOfRulesIsUpToDate(t *testing.T) {
	page := rulesHead
	for _, set := range []struct{ title, prefix, dir string }{
		{"Stock", "INV", filepath.Join("..", "inventory")}, {"Orders", "ORD", "."},
	} {
		page += "\n## " + set.title + "\n\n| rule | | file |\n|---|---|---|\n"
		rows := map[int]string{}
		for name, text := range sources(t, set.dir) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, rule := range matches(text, `(?m)^//\t`+set.prefix+`-(\d+) +(.*(?:\n//\t {2,}.*)*)$`) {
				words := strings.Fields(strings.ReplaceAll(rule[2], "\n//\t", " "))
				rows[number(t, rule[1])] = strings.ReplaceAll(strings.Join(words, " "), "|", "\\|") + " | " + name
			}
		}
		for _, rule := range slices.Sorted(maps.Keys(rows)) {
			page += "| " + set.prefix + "-" + strconv.Itoa(rule) + " | " + rows[rule] + " |\n"
		}
	}
	checkPage(t, filepath.Join("..", "..", "docs", "rules.md"), page)
}

// sources are the texts of a folder's Go files.
func sources(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sources in %s: %v", dir, err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(text)
	}
	return texts
}

func matches(text, expression string) [][]string {
	return regexp.MustCompile(expression).FindAllStringSubmatch(text, -1)
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
