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

const pageHead = `# Settings

Every service reads its settings from flags, then from the environment, then from the file that ` + "`--config`" + ` names (one
` + "`flag value`" + ` a line), then from defaults. What is not valid is refused at start. This page is made from the code:
` + "`go test ./pkg/service -update`" + `.
`

// The page of settings is what the services say of themselves.
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
