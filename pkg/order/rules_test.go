package order_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every rule above Decide has a test that is named for it, and no test is named for a rule that there is not.
func TestEveryRuleHasATest(t *testing.T) {
	for prefix, dir := range map[string]string{"ORD": ".", "INV": filepath.Join("..", "inventory")} {
		doc, err := os.ReadFile(filepath.Join(dir, "decide.go"))
		files, globErr := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || globErr != nil {
			t.Fatal(err, globErr)
		}
		rules, tested := map[string]bool{}, map[string]bool{}
		for _, rule := range regexp.MustCompile(`(?m)^//\t`+prefix+`-(\d+) `).FindAllStringSubmatch(string(doc), -1) {
			if rules[rule[1]] {
				t.Errorf("%s-%s stands there twice", prefix, rule[1])
			}
			rules[rule[1]] = true
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`(?m)^func Test(`+prefix+`\w+)`).FindAllStringSubmatch(string(text), -1) {
				for _, rule := range regexp.MustCompile(prefix+`(\d+)`).FindAllStringSubmatch(name[1], -1) {
					tested[rule[1]] = true
				}
			}
		}
		if len(rules) < 30 {
			t.Errorf("only %d rules of %s were found", len(rules), strings.ToLower(prefix))
		}
		for rule := range rules {
			if !tested[rule] {
				t.Errorf("no test is named for %s-%s", prefix, rule)
			}
		}
		for rule := range tested {
			if !rules[rule] {
				t.Errorf("a test is named for %s-%s, which is no rule", prefix, rule)
			}
		}
	}
}
