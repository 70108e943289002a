package metrics_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/holdfast/holdfast/deploy/observability"
)

var update = flag.Bool("update", false, "write docs/metrics.md again")

const pageHead = `# Metrics

Every service has these at ` + "`/metrics`" + ` of its admin port (` + "`--admin-listen`" + `, see
[config](config.md)), as Prometheus reads them, or as OpenMetrics where the scraper asks for that, with traces as
exemplars. ` + "`holdfast dev`" + ` has those of all services at one port. Units are seconds, bytes and records. A
histogram has the series ` + "`_bucket`, `_sum` and `_count`" + `. A gauge with the label ` + "`shard`" + ` is as of at
most a second ago. The auditor is ` + "`holdfast verify --follow`" + `.

Each process also has those of Go and of the process, ` + "`go_…` and `process_…`" + `, and those of its clients of
Kafka,
` + "`holdfast_kafka_…`" + ` with the label ` + "`client`" + `: connections, requests, bytes and records, as franz-go's
plugin kprom has them.

This page is made from the code: ` + "`go test ./cmd/internal/run/metrics -update`" + `.

| metric | type | labels | services | meaning |
|---|---|---|---|---|
`

// metric is one row of the page.
type metric struct {
	name, kind, help string
	labels           []string
	services         []string
}

// docs/metrics.md has every metric that a service registers, whether or not it has a series yet.
func TestThePageOfMetricsIsUpToDate(t *testing.T) {
	p := startPlatform(t)
	p.use()
	p.dashboardsHaveTheirMetrics()
	page := []byte(pageHead)
	for _, m := range p.metrics() {
		labels := "–"
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		page = fmt.Appendf(page, "| `%s` | %s | %s | %s | %s |\n",
			m.name, m.kind, labels, strings.Join(m.services, ", "), m.help)
	}
	file := filepath.Join("..", "..", "..", "..", "docs", "metrics.md")
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
		t.Errorf("docs/metrics.md is not what the services register: go test ./cmd/internal/run/metrics -update\n%s", page)
	}
}

// notMeasured are the metrics of dashboards and alerts that have no series while all is well.
var notMeasured = map[string]string{
	"holdfast_insight_failures_total": "no fill fails here",
	"holdfast_log_start_cut":          "no log begins late here",
}

// dashboardsHaveTheirMetrics looks whether services that were used have the metrics that dashboards and alerts name.
func (p *platform) dashboardsHaveTheirMetrics() {
	p.t.Helper()
	measured := map[string]bool{}
	for _, r := range p.registries {
		families, err := r.Gather()
		if err != nil {
			p.t.Fatal(err)
		}
		for _, family := range families {
			measured[family.GetName()] = true
		}
	}
	for _, name := range observability.Metrics() {
		if reason := notMeasured[name]; measured[name] == (reason != "") {
			p.t.Errorf("%s, which a dashboard or an alert names: measured %t, %s", name, measured[name], reason)
		}
	}
}

// metrics are those of all services, by name. Each follows the conventions of Prometheus.
func (p *platform) metrics() []*metric {
	p.t.Helper()
	byName := map[string]*metric{}
	for _, service := range slices.Sorted(maps.Keys(p.registries)) {
		for _, m := range p.registries[service].metrics(p.t) {
			service := strings.TrimSuffix(service, "-2")
			known := byName[m.name]
			if known == nil {
				known, byName[m.name] = m, m
			}
			if !slices.Contains(known.services, service) {
				known.services = append(known.services, service)
			}
			if known.kind != m.kind || known.help != m.help || !slices.Equal(known.labels, m.labels) {
				p.t.Errorf("%s is another metric in %s: %+v and %+v", m.name, service, known, m)
			}
		}
	}
	names := slices.Sorted(maps.Keys(byName))
	var all []*metric
	for _, name := range names {
		m := byName[name]
		if problem := m.unconventional(); problem != "" {
			p.t.Errorf("%s %s", name, problem)
		}
		all = append(all, m)
	}
	return all
}

// description is how a prometheus.Desc prints itself; it shows what it has in no other way.
var description = regexp.MustCompile(
	`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), unit: "(?:[^"\\]|\\.)*", ` +
		`constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

var constLabel = regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)

// metrics are what a registry has of ours.
func (r *recorder) metrics(t *testing.T) []*metric {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*metric{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.collectors {
		described := make(chan *prometheus.Desc, 100)
		c.Describe(described)
		close(described)
		for d := range described {
			m := describe(t, d)
			m.kind = cmp.Or(kindOf(c), withoutSeries[m.name])
			byName[m.name] = m
		}
	}
	for _, family := range families { // the process registered some before, and those with a series show their type
		m := byName[family.GetName()]
		if m == nil {
			m = &metric{name: family.GetName(), help: family.GetHelp()}
			for _, label := range family.Metric[0].Label {
				m.labels = append(m.labels, label.GetName())
			}
			byName[m.name] = m
		}
		m.kind = strings.ToLower(family.GetType().String())
	}
	maps.DeleteFunc(byName, func(name string, _ *metric) bool {
		return !strings.HasPrefix(name, "holdfast_") || strings.HasPrefix(name, "holdfast_kafka_")
	})
	return slices.Collect(maps.Values(byName))
}

func describe(t *testing.T, d *prometheus.Desc) *metric {
	t.Helper()
	parts := description.FindStringSubmatch(d.String())
	if parts == nil {
		t.Fatalf("%s is described in another way than this test knows", d)
	}
	m := &metric{}
	for text, to := range map[string]*string{parts[1]: &m.name, parts[2]: &m.help} {
		var err error
		if *to, err = strconv.Unquote(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, label := range constLabel.FindAllStringSubmatch(parts[3], -1) {
		m.labels = append(m.labels, label[1])
	}
	if parts[4] != "" {
		m.labels = append(m.labels, strings.Split(parts[4], ",")...)
	}
	slices.Sort(m.labels)
	return m
}

// withoutSeries has the types of metrics that are made when they are gathered, and of which there is none here.
var withoutSeries = map[string]string{"holdfast_access_key_last_used_timestamp_seconds": "gauge"}

// kindOf is the type of a metric that may have no series yet; "": it has one.
func kindOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return strings.ToLower(dto.MetricType_COUNTER.String())
	case *prometheus.GaugeVec:
		return strings.ToLower(dto.MetricType_GAUGE.String())
	case *prometheus.HistogramVec:
		return strings.ToLower(dto.MetricType_HISTOGRAM.String())
	}
	return ""
}

// units that a name may end with, or before _total.
var units = []string{"_seconds", "_bytes", "_records", "_rows", "_events", "_inputs"}

// unconventional is what is wrong with a metric's name, type or help, as Prometheus has them; "": nothing.
func (m *metric) unconventional() string {
	switch {
	case m.kind == "":
		return "has no type that this test knows"
	case !strings.HasSuffix(m.help, "."):
		return "has a help that is no sentence: " + m.help
	case strings.Contains(m.help, "|"):
		return "has a help that does not fit into a table"
	case (m.kind == "counter") != strings.HasSuffix(m.name, "_total"):
		return "is a " + m.kind + ": counters, and nothing else, end with _total"
	case m.kind == "histogram" && !slices.ContainsFunc(units, func(u string) bool { return strings.HasSuffix(m.name, u) }):
		return "is a histogram whose name has no unit"
	}
	return ""
}
