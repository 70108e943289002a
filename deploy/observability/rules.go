package observability

// rule is a recording or an alerting rule as Prometheus reads it.
type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type groups struct {
	Groups []group `yaml:"groups"`
}

// ruleFile has all rules.
func ruleFile() groups {
	var alerts []rule
	for _, a := range Alerts() {
		alerts = append(alerts, rule{
			Alert: a.Name, Expr: a.Expr, For: a.For, Labels: map[string]string{"severity": a.Severity},
			Annotations: map[string]string{"summary": a.Summary, "runbook_url": a.runbookURL()},
		})
	}
	return groups{[]group{{"holdfast objectives", recordings()}, {"holdfast alerts", alerts}}}
}

// promtoolTests is a file of tests as promtool reads it.
type promtoolTests struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval string         `yaml:"evaluation_interval"`
	Tests              []promtoolTest `yaml:"tests"`
}

type promtoolTest struct {
	Name        string       `yaml:"name"`
	Interval    string       `yaml:"interval"`
	InputSeries []series     `yaml:"input_series"`
	PromQLTests []promqlTest `yaml:"promql_expr_test"`
}

// promqlTest asks how many alerts of a name and a severity fire at a time. So a test need not repeat an alert's texts.
type promqlTest struct {
	Expr     string   `yaml:"expr"`
	EvalTime string   `yaml:"eval_time"`
	Samples  []sample `yaml:"exp_samples,omitempty"`
}

type sample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// testFile has two tests of each alert: with bad series it fires, with good ones it does not.
func testFile() promtoolTests {
	file := promtoolTests{RuleFiles: []string{"rules.yml"}, EvaluationInterval: "5m"}
	for _, a := range Alerts() {
		asks := promqlTest{
			Expr:     `count(ALERTS{alertname="` + a.Name + `",severity="` + a.Severity + `",alertstate="firing"})`,
			EvalTime: testLength,
		}
		quiet := asks
		asks.Samples = []sample{{"{}", 1}}
		file.Tests = append(file.Tests,
			promtoolTest{a.Name + " " + a.Severity + " fires", "1m", a.bad, []promqlTest{asks}},
			promtoolTest{a.Name + " " + a.Severity + " stays quiet", "1m", a.good, []promqlTest{quiet}})
	}
	return file
}
