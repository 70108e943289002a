package k8s_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

// operators are the modules that have the definitions of what the overlay production uses, with the folder in the
// module. Strimzi is no module: crds/strimzi.yaml has what is used of it.
var operators = []struct{ module, folder string }{
	{"sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard"},
	{"github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases"},
	{"github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds"},
	{"github.com/prometheus-operator/prometheus-operator@v0.85.0", "example/prometheus-operator-crd"},
}

// definitions are the files with the definitions of all kinds that production uses.
func definitions(t *testing.T) []string {
	t.Helper()
	files := []string{"crds/strimzi.yaml"}
	for _, operator := range operators {
		command := exec.Command("go", "mod", "download", "-json", operator.module)
		command.Dir = t.TempDir() // outside of this module, which does not need them
		out, err := command.Output()
		var module struct{ Dir, Error string }
		if jerr := json.Unmarshal(out, &module); err != nil || jerr != nil || module.Error != "" {
			t.Fatalf("fetch %s: %v %s", operator.module, err, module.Error)
		}
		found, err := filepath.Glob(filepath.Join(module.Dir, operator.folder, "*.yaml"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s has no definitions in %s: %v", operator.module, operator.folder, err)
		}
		files = append(files, found...)
	}
	return files
}

// A cluster with the operators takes every manifest of production, with no member that it does not know.
func TestAClusterTakesProduction(t *testing.T) {
	c := openCluster(t)
	for _, file := range definitions(t) {
		c.kubectl("apply", "--server-side", "-f", file)
	}
	c.kubectl("wait", "--for", "condition=established", "--timeout", soon, "crd", "--all")
	c.kubectl("create", "namespace", namespace) // namespaced objects need it, also when nothing is kept
	t.Cleanup(func() { c.kubectl("delete", "namespace", namespace) })
	command := renderer(t)
	rendered, err := exec.Command(command[0], append(command[1:], "../../deploy/k8s/overlays/production")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	out, err := runKubectl(string(rendered), "apply", "--server-side", "--dry-run=server", "--validate=strict",
		"--force-conflicts", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count([]byte(out), []byte("\n")); n != len(render(t, "overlays/production")) {
		t.Errorf("%d of %d manifests were taken:\n%s", n, len(render(t, "overlays/production")), out)
	}
}
