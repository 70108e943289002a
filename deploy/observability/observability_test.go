package observability

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the generated files again")

// The part of the runbook that is made from the alerts stands between these lines.
const (
	runbookFile  = "../../docs/runbook.md"
	runbookBegin = "<!-- Made by go test ./deploy/observability -update. -->\n"
	runbookEnd   = "<!-- end -->\n"
)

func TestTheFilesAreUpToDate(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	runbook := read(t, runbookFile)
	before, rest, found := strings.Cut(string(runbook), runbookBegin)
	_, after, ended := strings.Cut(rest, runbookEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the alerts", runbookFile)
	}
	files[runbookFile] = []byte(before + runbookBegin + Runbook() + "\n" + runbookEnd + after)
	for path, want := range files {
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(read(t, path), want) {
			t.Errorf("%s is not what the source says: go test ./deploy/observability -update", path)
		}
	}
	made, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range made {
		if files[path] == nil {
			t.Errorf("%s is made by nobody", path)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Each alert has one entry in the runbook, with all its parts, which links to sections that are there.
func TestEveryAlertHasAnEntryInTheRunbook(t *testing.T) {
	runbook := string(read(t, runbookFile))
	anchors := map[string]bool{}
	for line := range strings.Lines(runbook) {
		heading, ok := strings.CutPrefix(strings.TrimLeft(strings.TrimSuffix(line, "\n"), "#"), " ")
		if ok && line[0] == '#' {
			anchors[strings.ReplaceAll(strings.ToLower(heading), " ", "-")] = true
		}
	}
	for _, a := range Alerts() {
		if a.Summary == "" || a.seen == "" || a.means == "" || a.remedy == "" || a.Severity == "" {
			t.Errorf("%s lacks a part", a.Name)
		}
		if _, anchor, _ := strings.Cut(a.runbookURL(), "#"); !anchors[anchor] {
			t.Errorf("%s has no entry", a.Name)
		}
		for _, link := range strings.Split(a.means+a.remedy, "](#")[1:] {
			if anchor, _, _ := strings.Cut(link, ")"); !anchors[anchor] {
				t.Errorf("%s links to %s, which is not there", a.Name, anchor)
			}
		}
	}
}

// What is written by hand beside the generated files fits them.
func TestProvisioningFindsTheDashboards(t *testing.T) {
	for _, path := range []string{
		"prometheus/prometheus.yml", "grafana/provisioning/datasources/prometheus.yml",
		"grafana/provisioning/dashboards/holdfast.yml",
	} {
		var content map[string]any
		if err := yaml.Unmarshal(read(t, path), &content); err != nil || len(content) == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, d := range dashboards {
		var content struct {
			UID    string
			Panels []struct{ Title string }
		}
		if err := json.Unmarshal(read(t, "grafana/dashboards/"+d.UID+".json"), &content); err != nil || content.UID != d.UID {
			t.Errorf("%s: %v", d.UID, err)
		}
		titles := map[string]bool{}
		for _, p := range content.Panels {
			if titles[p.Title] {
				t.Errorf("%s has %q twice", d.UID, p.Title)
			}
			titles[p.Title] = true
		}
	}
}

// Prometheus' own tool checks the configuration, the rules with their tests, and the queries of the dashboards. CI has
// it from Debian (scripts/debian.sh prometheus promtool).
func TestPromtoolTakesAllOfIt(t *testing.T) {
	promtool := os.Getenv("HOLDFAST_TEST_PROMTOOL")
	if promtool == "" {
		t.Skip("HOLDFAST_TEST_PROMTOOL names no promtool; make test-alerts does")
	}
	queries := filepath.Join(t.TempDir(), "queries.yml")
	var rules []rule
	for _, expr := range Expressions() {
		rules = append(rules, rule{Record: "test:query", Expr: expr, Labels: map[string]string{"n": expr}})
	}
	text, err := yaml.Marshal(groups{[]group{{"queries", rules}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(queries, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "config", "prometheus/prometheus.yml"},
		{"check", "rules", "prometheus/rules.yml"},
		{"check", "rules", "--lint=none", queries},
		{"test", "rules", "prometheus/rules_test.yml"},
	} {
		out, err := exec.Command(promtool, args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		t.Logf("promtool %s: %s", strings.Join(args, " "), out)
	}
}

// Every alert is tested, and nothing else is.
func TestEveryAlertHasATest(t *testing.T) {
	var alerts []string
	for _, a := range causes() {
		alerts = append(alerts, a.Name)
		if len(a.bad) == 0 || a.bad[0].Values == "" || a.bad[0].Values == a.good[0].Values {
			t.Errorf("%s has no test", a.Name)
		}
	}
	slices.Sort(alerts)
	if tested := slices.Sorted(maps.Keys(causeTests)); !slices.Equal(tested, alerts) {
		t.Errorf("tested are %v, alerts are %v", tested, alerts)
	}
}
