package observability

// dashboard is one of Grafana's dashboards.
type dashboard struct {
	UID, Title string
	Panels     []panel
}

// panel shows queries over time.
type panel struct {
	Title, Unit string // Unit as Grafana names it: s, reqps, short, percentunit
	Help        string
	Queries     []query
}

type query struct{ Expr, Legend string }

// quantiles asks a histogram for its median and its slowest hundredth. by are further labels, such as "view, ".
func quantiles(metric, by, legend string) []query {
	ask := func(q string) string {
		return "histogram_quantile(" + q + ", sum by (" + by + "le) (rate(" + metric + "_bucket[$__rate_interval])))"
	}
	return []query{{ask("0.5"), "p50 " + legend}, {ask("0.99"), "p99 " + legend}}
}

// rate asks for what is counted, a second.
func rate(metric, by, legend string) []query {
	return []query{{"sum by (" + by + ") (rate(" + metric + "[$__rate_interval]))", legend}}
}

func gauge(expr, legend string) []query { return []query{{expr, legend}} }

// budget shows the share of errors of an objective beside what it allows.
func budget(o *objective, legend string) panel {
	return panel{
		Title: "Errors of the objective " + o.name, Unit: "percentunit", Help: o.seen,
		Queries: []query{{o.rule("5m"), "5 minutes " + legend}, {o.rule("6h"), "6 hours " + legend}},
	}
}

var dashboards = []dashboard{
	{UID: "holdfast-write", Title: "Holdfast: write side", Panels: []panel{
		budget(&objectives[0], ""),
		{Title: "Commands by outcome", Unit: "reqps", Help: "As clients see them; refused: by a rule.",
			Queries: rate("holdfast_commands_total", "outcome", "{{outcome}}")},
		{Title: "Commands by type", Unit: "reqps", Queries: rate("holdfast_commands_total", "command", "{{command}}")},
		{Title: "HTTP: time to answer", Unit: "s", Help: "With exemplars where requests are traced.",
			Queries: quantiles(`holdfast_http_request_duration_seconds`, "route, ", "{{route}}")},
		{Title: "HTTP: answers", Unit: "reqps", Queries: rate("holdfast_http_requests_total", "status", "{{status}}")},
		{Title: "Time to decide a batch", Unit: "s", Queries: quantiles("holdfast_shard_decide_seconds", "", "")},
		{Title: "Time to commit a batch", Unit: "s", Help: "One transaction of Kafka.",
			Queries: quantiles("holdfast_shard_commit_seconds", "", "")},
		{Title: "Events of a batch", Unit: "short", Queries: quantiles("holdfast_shard_batch_events", "", "")},
		{Title: "Inputs that wait", Unit: "short", Queries: gauge("holdfast_shard_queue_inputs", "shard {{shard}}")},
		{Title: "Refused for load", Unit: "reqps", Queries: append(
			rate("holdfast_shard_queue_full_total", "job", "queue full"),
			rate("holdfast_shard_queue_late_total", "job", "would wait too long")...)},
		{Title: "Oldest order that waits for stock", Unit: "s",
			Queries: gauge("holdfast_shard_oldest_unsettled_seconds", "shard {{shard}}")},
		{Title: "Steps between shards", Unit: "reqps", Queries: append(
			rate("holdfast_shard_steps_sent_total", "job", "sent"),
			rate("holdfast_shard_steps_resent_total", "job", "again")...)},
		{Title: "Shards served", Unit: "short", Help: "By any replica: 1; by none: 0.",
			Queries: gauge("max by (shard) (holdfast_shard_served)", "shard {{shard}}")},
		{Title: "Shards of each replica", Unit: "short", Queries: gauge("holdfast_shard_owned", "{{instance}}")},
		{Title: "Hand-over: time without an owner", Unit: "s", Queries: quantiles("holdfast_shard_handover_seconds", "", "")},
		{Title: "Taking a shard over", Unit: "s",
			Queries: quantiles("holdfast_shard_acquire_seconds", "phase, ", "{{phase}}")},
		{Title: "Standbys: how far behind", Unit: "s",
			Queries: gauge("holdfast_shard_standby_lag_seconds", "shard {{shard}} at {{instance}}")},
		{Title: "Current standbys of each shard", Unit: "short", Help: "Other replicas that could take it over at once.",
			Queries: gauge("sum by (shard) (holdfast_shard_standby_current)", "shard {{shard}}")},
		{Title: "Clocks against the brokers'", Unit: "s",
			Queries: gauge("holdfast_shard_clock_skew_seconds", "{{instance}} shard {{shard}}")},
		{Title: "Memory", Unit: "bytes", Queries: gauge("process_resident_memory_bytes", "{{job}} {{instance}}")},
		{Title: "CPU", Unit: "short", Queries: gauge("rate(process_cpu_seconds_total[$__rate_interval])",
			"{{job}} {{instance}}")},
	}},
	{UID: "holdfast-read", Title: "Holdfast: read side", Panels: []panel{
		budget(&objectives[1], "{{view}}"),
		budget(&objectives[2], "{{view}}"),
		{Title: "Time until a view shows an event", Unit: "s",
			Queries: quantiles("holdfast_view_visible_seconds", "view, ", "{{view}}")},
		{Title: "Age of views", Unit: "s", Help: "About a second where a view keeps up.",
			Queries: gauge("holdfast_view_lag_seconds", "{{view}} {{instance}}")},
		{Title: "Views: how far behind", Unit: "short", Help: "Records, transaction markers included.",
			Queries: gauge("holdfast_view_lag_records", "{{view}} {{instance}}")},
		{Title: "Events folded", Unit: "reqps", Queries: rate("holdfast_view_events_total", "view", "{{view}}")},
		{Title: "Views: stopped partitions", Unit: "short",
			Queries: gauge("holdfast_view_stopped_partitions", "{{view}} {{instance}}")},
		{Title: "Views: began again", Unit: "short",
			Queries: gauge("increase(holdfast_view_restarts_total[$__rate_interval])", "{{view}} {{instance}}")},
		{Title: "Time until the mirror has an event", Unit: "s", Queries: quantiles("holdfast_mirror_visible_seconds", "",
			"")},
		{Title: "Age of the mirror", Unit: "s", Queries: gauge("holdfast_mirror_lag_seconds", "{{instance}}")},
		{Title: "Mirror: how far behind", Unit: "short", Queries: gauge("holdfast_mirror_lag_records", "{{instance}}")},
		{Title: "Rows written to ClickHouse", Unit: "reqps", Queries: rate("holdfast_mirror_rows_total", "table",
			"{{table}}")},
		{Title: "Rows of an insert", Unit: "short",
			Queries: quantiles("holdfast_mirror_insert_rows", "table, ", "{{table}}")},
		{Title: "Time to write a batch to ClickHouse", Unit: "s",
			Queries: quantiles("holdfast_mirror_flush_seconds", "", "")},
		{Title: "Errors of ClickHouse", Unit: "reqps",
			Queries: rate("holdfast_clickhouse_errors_total", "operation", "{{operation}}")},
		{Title: "Dead letters", Unit: "short",
			Queries: gauge("increase(holdfast_mirror_dead_letters_total[$__rate_interval])", "{{instance}}")},
	}},
	{UID: "holdfast-replays", Title: "Holdfast: replays and insights", Panels: []panel{
		{Title: "Left to compute", Unit: "short", Help: "Offsets between the tables of an insight and the mirror.",
			Queries: gauge("sum by (insight, mode) (holdfast_insight_lag_records)", "{{insight}} {{mode}}")},
		{Title: "Computed", Unit: "reqps", Help: "Offsets of events a second.",
			Queries: rate("holdfast_insight_offsets_total", "insight, mode", "{{insight}} {{mode}}")},
		{Title: "Time to the end, at this rate", Unit: "s", Queries: gauge(
			`sum by (insight) (holdfast_insight_lag_records{mode="replay"})
/ (sum by (insight) (rate(holdfast_insight_offsets_total{mode="replay"}[$__rate_interval])) > 0)`, "{{insight}}")},
		{Title: "Time of a fill", Unit: "s", Queries: quantiles("holdfast_insight_fill_seconds", "mode, ", "{{mode}}")},
		{Title: "Tables", Unit: "short", Queries: gauge("sum by (mode) (holdfast_insight_tables)", "{{mode}}")},
		{Title: "Fills that failed", Unit: "reqps",
			Queries: rate("holdfast_insight_failures_total", "insight, mode", "{{insight}} {{mode}}")},
		{Title: "Auditor: violations", Unit: "short",
			Queries: gauge("max by (invariant) (holdfast_verify_violations_total)", "{{invariant}}")},
		{Title: "Auditor: age", Unit: "s", Queries: gauge("holdfast_verify_lag_seconds", "{{instance}}")},
	}},
}

// Size of a panel on Grafana's grid, which has 24 columns.
const (
	panelWidth  = 12
	panelHeight = 8
)

// m is a JSON object.
type m map[string]any

// grafana is the dashboard as Grafana imports it.
func (d *dashboard) grafana() m {
	var panels []m
	for i, p := range d.Panels {
		panels = append(panels, p.grafana(i))
	}
	return m{
		"uid": d.UID, "title": d.Title, "tags": []string{"holdfast"}, "schemaVersion": 39, "editable": true,
		"refresh": "10s", "time": m{"from": "now-1h", "to": "now"}, "panels": panels,
		"templating": m{"list": []m{{
			"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus",
		}}},
	}
}

func (p *panel) grafana(i int) m {
	source := m{"type": "prometheus", "uid": "${datasource}"}
	var targets []m
	for n, q := range p.Queries {
		targets = append(targets, m{
			"refId": string(rune('A' + n)), "datasource": source, "expr": q.Expr, "legendFormat": q.Legend, "exemplar": true,
		})
	}
	return m{
		"id": i + 1, "type": "timeseries", "title": p.Title, "description": p.Help, "datasource": source, "targets": targets,
		"gridPos":     m{"x": i % 2 * panelWidth, "y": i / 2 * panelHeight, "w": panelWidth, "h": panelHeight},
		"fieldConfig": m{"defaults": m{"unit": p.Unit, "min": 0}, "overrides": []any{}},
		"options":     m{"legend": m{"displayMode": "list", "placement": "bottom"}, "tooltip": m{"mode": "multi"}},
	}
}
