// Package observability is the one source of what operators look at: Grafana's dashboards, the rules and alerts of
// Prometheus with their tests, and the runbook's entry for each alert. `go test ./deploy/observability -update` writes
// the files, and the test fails where one of them is not what this package says.
//
// It owns names, queries and thresholds. The metrics themselves are in docs/metrics.md; a test of
// cmd/internal/run/metrics runs all services and looks whether they have those that are named here.
package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// generated stands first in each file of Prometheus.
const generated = "# Made by go test ./deploy/observability -update. Do not edit.\n"

// Files are the files of this folder that are made here, by their path in it.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, d := range dashboards {
		text, err := json.MarshalIndent(d.grafana(), "", "  ")
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", d.UID, err)
		}
		files["grafana/dashboards/"+d.UID+".json"] = append(text, '\n')
	}
	for path, content := range map[string]any{
		"prometheus/rules.yml": ruleFile(), "prometheus/rules_test.yml": testFile(),
	} {
		var text bytes.Buffer
		text.WriteString(generated)
		encoder := yaml.NewEncoder(&text)
		encoder.SetIndent(2)
		if err := encoder.Encode(content); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		files[path] = text.Bytes()
	}
	return files, nil
}

// Expressions are all PromQL expressions, of rules and of dashboards, with Grafana's variables replaced by values.
func Expressions() []string {
	var all []string
	for _, r := range recordings() {
		all = append(all, r.Expr)
	}
	for _, a := range Alerts() {
		all = append(all, a.Expr)
	}
	for _, d := range dashboards {
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				all = append(all, variable.ReplaceAllString(q.Expr, "5m"))
			}
		}
	}
	return all
}

var variable = regexp.MustCompile(`\$__\w+`)

// ours finds the metrics of services in an expression; what has a colon is a rule's.
var ours = regexp.MustCompile(`\bholdfast_\w+\b`)

var histogramSeries = regexp.MustCompile(`_(bucket|sum|count)$`)

// Metrics are the names of the services' metrics in all expressions, sorted. Those of a histogram's series are its own.
func Metrics() []string {
	var names []string
	for _, expr := range Expressions() {
		for _, name := range ours.FindAllString(expr, -1) {
			names = append(names, histogramSeries.ReplaceAllString(name, ""))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
