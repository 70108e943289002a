package k8s_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a manifest.
type object map[string]any

// at is what is below the members, or nil.
func (o object) at(members ...string) any {
	var value any = map[string]any(o)
	for _, member := range members {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[member]
	}
	return value
}

func (o object) text(members ...string) string {
	text, _ := o.at(members...).(string)
	return text
}

func (o object) String() string { return o.text("kind") + "/" + o.text("metadata", "name") }

// objects are the manifests below the members.
func (o object) objects(members ...string) (all []object) {
	list, _ := o.at(members...).([]any)
	for _, one := range list {
		m, _ := one.(map[string]any)
		all = append(all, object(m))
	}
	return all
}

// pod is the template of the pods that a workload makes; nil: it makes none.
func (o object) pod() object {
	members := map[string][]string{
		"StatefulSet": {"spec", "template"}, "Deployment": {"spec", "template"},
		"CronJob": {"spec", "jobTemplate", "spec", "template"},
	}[o.text("kind")]
	template, _ := o.at(members...).(map[string]any)
	if members == nil {
		return nil
	}
	return object(template)
}

// ours reports whether a workload runs a program of this repository.
func (o object) ours() bool {
	return o.text("metadata", "labels", "app.kubernetes.io/part-of") == "holdfast"
}

// renderer is kubectl or kustomize, whichever there is.
func renderer(t *testing.T) []string {
	t.Helper()
	local, err := filepath.Abs("../../.local/bin/kustomize")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"kubectl", "kustomize"}, {"kustomize", "build"}, {local, "build"}} {
		if _, err := exec.LookPath(command[0]); err == nil {
			return command
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is neither kubectl nor kustomize: scripts/tools.sh manifests builds kustomize")
	}
	t.Skip("there is neither kubectl nor kustomize: scripts/tools.sh manifests builds kustomize")
	return nil
}

// render is what an overlay applies.
func render(t *testing.T, folder string) (all []object) {
	t.Helper()
	command := renderer(t)
	var out, problems bytes.Buffer
	c := exec.Command(command[0], append(command[1:], filepath.Join("../../deploy/k8s", folder))...)
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		t.Fatalf("render %s: %v\n%s", folder, err, &problems)
	}
	for documents := yaml.NewDecoder(&out); ; {
		var o map[string]any
		err := documents.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object(o))
	}
}

// workloadsOf are those that make pods.
func workloadsOf(all []object) []object {
	return slices.DeleteFunc(slices.Clone(all), func(o object) bool { return o.pod() == nil })
}

var overlays = []string{"overlays/dev", "overlays/production"}

// Each pod may do nothing that Pod Security's level restricted forbids, and has no right in the cluster. What is ours
// writes to its volumes alone.
func TestPodsHaveNoRightThatNobodyNeeds(t *testing.T) {
	for _, overlay := range overlays {
		all := render(t, overlay)
		for _, workload := range workloadsOf(all) {
			name := overlay + " " + workload.String()
			pod := workload.pod()
			for _, check := range []struct {
				what string
				ok   bool
			}{
				{"may run as root", pod.at("spec", "securityContext", "runAsNonRoot") == true},
				{"has no seccomp profile", pod.text("spec", "securityContext", "seccompProfile", "type") == "RuntimeDefault"},
				{"gets a token", pod.at("spec", "automountServiceAccountToken") == false},
				{"gets variables of services", pod.at("spec", "enableServiceLinks") == false},
				{"has the account of all", !workload.ours() || pod.text("spec", "serviceAccountName") != ""},
			} {
				if !check.ok {
					t.Errorf("%s %s", name, check.what)
				}
			}
			for _, c := range pod.objects("spec", "containers") {
				if c.at("securityContext", "allowPrivilegeEscalation") != false ||
					fmt.Sprint(c.at("securityContext", "capabilities", "drop")) != "[ALL]" {
					t.Errorf("%s: %s may gain rights", name, c.text("name"))
				}
				if workload.ours() && c.at("securityContext", "readOnlyRootFilesystem") != true {
					t.Errorf("%s: %s may write to its image", name, c.text("name"))
				}
			}
		}
		for _, o := range all {
			switch o.text("kind") {
			case "ServiceAccount":
				if o.at("automountServiceAccountToken") != false {
					t.Errorf("%s %s has a token", overlay, o)
				}
			case "Namespace":
				if o.text("metadata", "labels", "pod-security.kubernetes.io/enforce") != "restricted" {
					t.Errorf("%s %s is not restricted", overlay, o)
				}
			}
		}
	}
}

// mebibytes reads a quantity of memory, with the suffixes that the manifests use.
func mebibytes(t *testing.T, quantity string) int {
	t.Helper()
	for suffix, factor := range map[string]int{"MiB": 1, "Mi": 1, "Gi": 1024} {
		if number, ok := strings.CutSuffix(quantity, suffix); ok {
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("%q: %v", quantity, err)
			}
			return n * factor
		}
	}
	t.Fatalf("%q is no quantity of memory", quantity)
	return 0
}

// Go knows the limit of its container, and leaves a fifth for what it does not count.
func TestGoKnowsTheLimitOfItsContainer(t *testing.T) {
	for _, overlay := range overlays {
		for _, workload := range workloadsOf(render(t, overlay)) {
			for _, c := range workload.pod().objects("spec", "containers") {
				limit := c.text("resources", "limits", "memory")
				if limit == "" || c.text("resources", "requests", "cpu") == "" || c.text("resources", "requests", "memory") == "" {
					t.Errorf("%s %s: %s has no limit of memory, or no requests", overlay, workload, c.text("name"))
					continue
				}
				if !workload.ours() {
					continue
				}
				share := 0
				for _, variable := range c.objects("env") {
					if variable.text("name") == "GOMEMLIMIT" {
						share = 100 * mebibytes(t, variable.text("value")) / mebibytes(t, limit)
					}
				}
				if share < 79 || share > 81 {
					t.Errorf("%s %s: GOMEMLIMIT is %d %% of %s", overlay, workload, share, limit)
				}
			}
		}
	}
}

// Services tell the kubelet how they are, and may be evicted one at a time.
func TestServicesAreProbedAndEvictedOneAtATime(t *testing.T) {
	for _, overlay := range overlays {
		all := render(t, overlay)
		budgets := map[string]bool{}
		for _, o := range all {
			if o.text("kind") == "PodDisruptionBudget" && o.at("spec", "maxUnavailable") == 1 {
				budgets[o.text("spec", "selector", "matchLabels", "app.kubernetes.io/name")] = true
			}
		}
		for _, workload := range workloadsOf(all) {
			if !workload.ours() || workload.text("kind") == "CronJob" {
				continue
			}
			for _, c := range workload.pod().objects("spec", "containers") {
				for probe, path := range map[string]string{
					"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz?allow=degraded",
				} {
					if c.text(probe, "httpGet", "path") != path || c.text(probe, "httpGet", "port") != "http" {
						t.Errorf("%s %s: %s does not ask for %s", overlay, workload, probe, path)
					}
				}
			}
			if !budgets[workload.text("metadata", "name")] {
				t.Errorf("%s %s has no budget of one", overlay, workload)
			}
		}
	}
}

// settings are the variables of a service in an overlay: those of its container, and those of the ConfigMap.
func settings(t *testing.T, all []object, service string) map[string]string {
	t.Helper()
	variables := map[string]string{}
	for _, o := range all {
		if o.text("kind") == "ConfigMap" && strings.HasPrefix(o.text("metadata", "name"), "holdfast-") {
			data, _ := o.at("data").(map[string]any)
			for name, value := range data {
				variables[name] = fmt.Sprint(value)
			}
		}
		if o.text("metadata", "name") == service && o.pod() != nil {
			for _, c := range o.pod().objects("spec", "containers") {
				for _, variable := range c.objects("env") {
					variables[variable.text("name")] = variable.text("value")
				}
			}
		}
	}
	return variables
}

// What the manifests set are settings of each service that gets them: docs/config.md has these from the code.
func TestManifestsSetWhatServicesRead(t *testing.T) {
	page, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		all := render(t, overlay)
		for _, service := range services[:4] {
			_, section, _ := strings.Cut(string(page), "\n## "+service+"\n")
			section, _, _ = strings.Cut(section, "\n## ")
			for variable := range settings(t, all, service) {
				if !strings.HasPrefix(variable, "HOLDFAST_") {
					continue
				}
				if !strings.Contains(section, variable+",") {
					t.Errorf("%s: %s does not read %s", overlay, service, variable)
				}
			}
		}
	}
}

// There are never more replicas than shards or partitions to share.
func TestReplicasHaveSomethingToShare(t *testing.T) {
	for _, overlay := range overlays {
		all := render(t, overlay)
		variables := settings(t, all, "order-api")
		atMost := map[string]string{
			"order-api": "HOLDFAST_SHARDS", "analytics-projector": "HOLDFAST_PARTITIONS",
		}
		for _, o := range all {
			service, replicas := o.text("metadata", "name"), o.at("spec", "replicas")
			switch o.text("kind") {
			case "ScaledObject":
				service, replicas = o.text("spec", "scaleTargetRef", "name"), o.at("spec", "maxReplicaCount")
				for _, trigger := range o.objects("spec", "triggers") {
					if trigger.text("type") != "prometheus" {
						t.Errorf("%s %s scales by %s: the groups commit no offsets", overlay, o, trigger.text("type"))
					}
				}
			case "HorizontalPodAutoscaler":
				service, replicas = o.text("spec", "scaleTargetRef", "name"), o.at("spec", "maxReplicas")
			case "StatefulSet", "Deployment":
			default:
				continue
			}
			count, _ := replicas.(int)
			if service == "inventory-projector" && (count != 1 || o.text("spec", "strategy", "type") != "Recreate") {
				t.Errorf("%s %s: more than one may run", overlay, o)
			}
			if setting, ok := atMost[service]; ok {
				most, err := strconv.Atoi(variables[setting])
				if err != nil || count > most {
					t.Errorf("%s %s: %d replicas share %s", overlay, o, count, variables[setting])
				}
			}
		}
	}
}

// Every Secret and ConfigMap that a pod needs is in the overlay, or is named here as what somebody else makes.
func TestPodsFindTheirSettings(t *testing.T) {
	others := map[string][]string{
		"overlays/dev": {"order-api-peers", "replay-definition"},
		"overlays/production": {
			"order-api-peers", "clickhouse", "replay-definition", "holdfast-cluster-ca-cert", "order-api", "query-api",
			"inventory-projector", "analytics-projector", "auditor", "replay", "verify",
		},
	}
	for _, overlay := range overlays {
		all := render(t, overlay)
		have := slices.Clone(others[overlay])
		for _, o := range all {
			if kind := o.text("kind"); kind == "Secret" || kind == "ConfigMap" {
				have = append(have, o.text("metadata", "name"))
			}
		}
		need := func(by object, name string) {
			if name != "" && !slices.Contains(have, name) {
				t.Errorf("%s %s needs %s, which nobody makes", overlay, by, name)
			}
		}
		for _, workload := range workloadsOf(all) {
			for _, volume := range workload.pod().objects("spec", "volumes") {
				need(workload, volume.text("secret", "secretName"))
				need(workload, volume.text("configMap", "name"))
			}
			for _, c := range workload.pod().objects("spec", "containers") {
				for _, from := range c.objects("envFrom") {
					need(workload, from.text("configMapRef", "name"))
				}
				for _, variable := range c.objects("env") {
					need(workload, variable.text("valueFrom", "secretKeyRef", "name"))
				}
			}
		}
	}
}
