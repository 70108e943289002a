package service_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/config.md again")

const pageHead = "# Settings\n\n" +
	"Every service reads its settings from flags, then from the environment, then from the file that `--config` names " +
	"(one\n`flag value` a line), then from defaults. What is not valid is refused at start. " +
	"This page is made from the code:\n`go test ./pkg/service -update`.\n"

// docs/config.md has what each service prints with --help.
func TestThePageOfSettingsIsUpToDate(t *testing.T) {
	root := filepath.Join("..", "..")
	page := []byte(pageHead)
	for _, name := range []string{"order-api", "inventory-projector", "analytics-projector", "query-api"} {
		help := exec.Command("go", "run", "./cmd/"+name, "--help")
		help.Dir = root
		out, err := help.CombinedOutput()
		if err != nil {
			t.Fatalf("%s --help: %v\n%s", name, err, out)
		}
		_, list, _ := strings.Cut(string(out), "\n\n")
		page = append(page, "\n## "+name+"\n\n```\n"+list+"```\n"...)
	}
	file := filepath.Join(root, "docs", "config.md")
	if *update {
		if err := os.WriteFile(file, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page) {
		t.Fatal("docs/config.md is not what the services say: go test ./pkg/service -update")
	}
}
