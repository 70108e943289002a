package order_test

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

// Every rule has one number, a test that is named for it, and its file in the index above Decide. No test is named for
// a rule that does not exist.
func TestEveryRuleHasATest(t *testing.T) {
	for prefix, dir := range map[string]string{"ORD": ".", "INV": filepath.Join("..", "inventory")} {
		rules, tested := map[int]string{}, map[int]bool{}
		for name, text := range sources(t, dir) {
			if strings.HasSuffix(name, "_test.go") {
				for _, test := range find(text, `(?m)^func Test(`+prefix+`\w+)`) {
					for _, rule := range find(test[1], prefix+`(\d+)`) {
						tested[number(t, rule[1])] = true
					}
				}
				continue
			}
			for _, rule := range find(text, `(?m)^//\t`+prefix+`-(\d+) `) {
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
		if index := indexOf(t, dir, prefix); !maps.Equal(index, rules) {
			for _, rule := range slices.Sorted(maps.Keys(rules)) {
				if index[rule] != rules[rule] {
					t.Errorf("the index above Decide has %s-%d in %q, it is in %s", prefix, rule, index[rule], rules[rule])
				}
			}
			t.Errorf("the index above Decide of %s is not that of the files", dir)
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
			for _, command := range find(text, `(?m)^func \((?:\w+ )?(\w+)\) decide\(`) {
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

// indexOf reads the index of rules above Decide: a file a line, with its rules ("INV-4", "INV-12 to INV-14").
func indexOf(t *testing.T, dir, prefix string) map[int]string {
	t.Helper()
	index := map[int]string{}
	for _, line := range find(sources(t, dir)["decide.go"], `(?m)^//\t(\w+\.go) +(.*)$`) {
		for _, rules := range find(line[2], prefix+`-(\d+)(?: to `+prefix+`-(\d+))?`) {
			first, last := number(t, rules[1]), number(t, rules[1])
			if rules[2] != "" {
				last = number(t, rules[2])
			}
			for rule := first; rule <= last; rule++ {
				index[rule] = line[1]
			}
		}
	}
	return index
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

func find(text, expression string) [][]string {
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
