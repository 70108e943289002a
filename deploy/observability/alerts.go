package observability

import (
	"regexp"
	"slices"
	"strings"
)

// Severities: somebody is woken, or somebody looks at it in working hours.
const (
	page   = "page"
	ticket = "ticket"
)

// Alert is one alert with its entry in the runbook.
type Alert struct {
	Name, Expr, For, Severity, Summary string

	seen, means, remedy string
	bad, good           []series // of testLength
}

// series is an input of promtool's tests: a series, and its values in promtool's notation, one a minute.
type series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// testLength is when a test looks at its alert: its series have a value a minute until then.
const testLength = "3h"

// one is a test with one series, which is bad or good all the time.
func one(name, bad, good string) (bads, goods []series) {
	return []series{{name, bad}}, []series{{name, good}}
}

// Alerts are all alerts, those of objectives first. An objective has one of each severity, with the same name.
func Alerts() []Alert {
	var all []Alert
	for i := range objectives {
		all = append(all, objectives[i].alerts()...)
	}
	return append(all, causes()...)
}

// causes are alerts on what will hurt users, or already does and the objectives cannot tell.
func causes() []Alert {
	all := slices.Concat(writeCauses, readCauses, auditCauses)
	for i := range all {
		a := &all[i]
		bad, good := causeTests[a.Name][0], causeTests[a.Name][1]
		a.bad, a.good = one(causeTests[a.Name][2], bad, good)
	}
	return all
}

// writeCauses are those of processes and of the write side.
var writeCauses = []Alert{
	{
		Name: "HoldfastServiceDown", Severity: page, For: "2m",
		Expr:    `up{job=~"(.*/)?(order-api|query-api|inventory-projector|analytics-projector|holdfast-verify)"} == 0`,
		Summary: "{{ $labels.job }} at {{ $labels.instance }} does not answer",
		seen:    "Prometheus cannot read the metrics of a process for two minutes.",
		means: "The process has ended, hangs, or cannot be reached. Other replicas of order-api take its shards over " +
			"after `--session-timeout`; a projector's work waits.",
		remedy: "Look at its log and whether it was restarted. If it runs, check `--admin-listen`: in containers it is " +
			"`:9464`.",
	},
	{
		Name: "HoldfastShardUnserved", Severity: page, For: "30s",
		Expr:    "max by (shard) (holdfast_shard_served) == 0",
		Summary: "Nobody serves shard {{ $labels.shard }}: its commands are answered 503",
		seen:    "No replica of order-api knows one that serves the shard.",
		means:   "Commands for the orders and items of the shard are answered 503. Those of other shards go on.",
		remedy: "[A replica cannot serve its shards](#a-replica-cannot-serve-its-shards) has a table of the reasons in " +
			"`/readyz`.",
	},
	{
		Name: "HoldfastCommitStalled", Severity: page, For: "1m",
		Expr:    "holdfast_shard_last_commit_age_seconds > 150",
		Summary: "Shard {{ $labels.shard }} has committed nothing for {{ $value }} s",
		seen:    "A shard that is served has not committed for two and a half minutes. An idle one commits once a minute.",
		means:   "Its commands wait for a commit that does not end.",
		remedy:  "Look at the brokers that lead the partitions of the shard, and their transaction coordinator.",
	},
	{
		Name: "HoldfastOrdersUnsettled", Severity: page, For: "1m",
		Expr:    "holdfast_shard_oldest_unsettled_seconds > 60",
		Summary: "An order of shard {{ $labels.shard }} waits for stock of another shard for {{ $value }} s",
		seen:    "An order has been placed, and a shard that has some of its stock has not answered for a minute.",
		means:   "Its client has got 202. The step is sent again until it is answered; nothing is lost.",
		remedy: "The shard that does not answer is not served, or replicas do not reach each other: look at `/readyz`, at " +
			"`holdfast_shard_steps_resent_total`, and at the network between replicas (`--peer-listen`).",
	},
	{
		Name: "HoldfastStandbyBehind", Severity: ticket, For: "10m",
		Expr:    "holdfast_shard_standby_lag_seconds > 60",
		Summary: "The standby of shard {{ $labels.shard }} at {{ $labels.instance }} is {{ $value }} s behind",
		seen:    "A checkpoint of a shard that another replica serves has not had all of the log for a minute.",
		means:   "Taking the shard over would take longer, by the time to read what is missing.",
		remedy:  "Its log says why it does not follow: a disk that is full or slow, or too little CPU.",
	},
	{
		Name: "HoldfastNoStandby", Severity: ticket, For: "30m",
		Expr:    "max by (shard) (holdfast_shard_standby_current) == 0",
		Summary: "No replica could take shard {{ $labels.shard }} over at once",
		seen: "There are several replicas, and for half an hour none but the owner has had a current checkpoint of a " +
			"shard.",
		means: "Should its owner fail, another replica reads the shard's log before it serves the shard: minutes, where " +
			"that is long.",
		remedy: "After replicas were lost, others build checkpoints from the log, which takes its time. Otherwise their " +
			"logs say why they do not follow the shard.",
	},
	{
		Name: "HoldfastClockSkew", Severity: ticket, For: "5m",
		Expr:    "abs(holdfast_shard_clock_skew_seconds) > 5",
		Summary: "The clock of {{ $labels.instance }} is {{ $value }} s from the brokers'",
		seen:    "A replica of order-api and a broker disagree on the time by more than five seconds.",
		means:   "Beyond `--max-clock-skew` (30 s) the replica serves no shard.",
		remedy:  "Set the clock that is wrong, and keep both right with NTP.",
	},
	{
		Name: "HoldfastReconciled", Severity: ticket,
		Expr:    "increase(holdfast_shard_reconciled_total[1h]) > 0",
		Summary: "Orders and stock differed, and were put right",
		seen:    "An order and its stock did not say the same, and a shard has repaired that with an event.",
		means: "On Apache Kafka this does not happen: a transaction was lost, by a broker without `min.insync.replicas`, " +
			"or somebody restored topics from different moments.",
		remedy: "Run `holdfast verify`. Look for lost data in the brokers' logs.",
	},
	{
		Name: "HoldfastCheckpointDamaged", Severity: ticket,
		Expr:    "increase(holdfast_shard_checkpoints_damaged_total[1h]) > 0",
		Summary: "A checkpoint at {{ $labels.instance }} was damaged, and is built again from the log",
		seen:    "A replica has deleted a checkpoint that it could not read.",
		means:   "Nothing is lost; the shard is served later, by the time to read its log.",
		remedy:  "If it comes again, check the disk and the memory of the machine.",
	},
}

// readCauses are those of views, the log that they read, the mirror and insights.
var readCauses = []Alert{
	{
		Name: "HoldfastViewStopped", Severity: page, For: "1m",
		Expr:    "holdfast_view_stopped_partitions > 0",
		Summary: "The view {{ $labels.view }} has stopped at a record in {{ $value }} partitions",
		seen:    "A view cannot fold a record, and does not go on behind it.",
		means:   "Orders or items of the partition are shown as they were before the record.",
		remedy:  "[A shard stops at a record](#a-shard-stops-at-a-record).",
	},
	{
		Name: "HoldfastLogStartCut", Severity: page,
		Expr:    "max by (topic, partition) (holdfast_log_start_cut) > 0",
		Summary: "The start of {{ $labels.topic }} partition {{ $labels.partition }} has been deleted",
		seen:    "A reader has noticed that a partition of the event log does not begin at its start any more.",
		means:   "The log is the only full copy of all events. Who needs the deleted part cannot start again.",
		remedy:  "[The start of the log is gone](#the-start-of-the-log-is-gone), at once: it gets worse with each restart.",
	},
	{
		Name: "HoldfastMirrorStalled", Severity: page, For: "2m",
		Expr:    "max(holdfast_mirror_lag_seconds) > 60 or max(holdfast_mirror_up) == 0",
		Summary: "The mirror in ClickHouse does not follow the log",
		seen:    "The mirror has not had all of the log for a minute, or cannot write to ClickHouse.",
		means:   "Reports and insights show the past. Orders, stock and views are not concerned.",
		remedy: "`/readyz` of analytics-projector has ClickHouse's answer and what to do about it, such as a missing " +
			"grant or a full disk. Without a reason there: `holdfast_mirror_flush_seconds` and the load of ClickHouse.",
	},
	{
		Name: "HoldfastDeadLetters", Severity: ticket,
		Expr:    "increase(holdfast_mirror_dead_letters_total[1h]) > 0",
		Summary: "Events could not be mirrored, and were parked",
		seen:    "The mirror could not decode an event, or ClickHouse refused its rows for what they hold.",
		means:   "Reports lack it. It is kept as a dead letter, and the mirror goes on.",
		remedy:  "`holdfast dead-letters ls` and `show` say why; after the repair `holdfast dead-letters retry`.",
	},
	{
		Name: "HoldfastClickHouseErrors", Severity: ticket, For: "15m",
		Expr:    "sum by (job, operation) (rate(holdfast_clickhouse_errors_total[5m])) > 0.1",
		Summary: "ClickHouse fails to {{ $labels.operation }} for {{ $labels.job }}",
		seen:    "Calls of ClickHouse fail, one in ten seconds or more, for a quarter of an hour.",
		means:   "Inserts are tried again; questions are answered 503.",
		remedy:  "The log of the service has ClickHouse's answer with its code, and what to do about it.",
	},
	{
		Name: "HoldfastInsightFailing", Severity: ticket, For: "15m",
		Expr:    "sum by (insight, mode) (increase(holdfast_insight_failures_total[15m])) > 5",
		Summary: "The insight {{ $labels.insight }} cannot be computed ({{ $labels.mode }})",
		seen:    "Fills of an insight's table fail again and again.",
		means:   "In mode live the answers of the insight stay as they were; in mode replay the replay waits.",
		remedy: "`holdfast replay ls` shows the reason. A definition that ClickHouse refuses: cancel the replay, apply " +
			"another.",
	},
}

// auditCauses are those of the auditor.
var auditCauses = []Alert{
	{
		Name: "HoldfastVerifyViolation", Severity: page,
		Expr:    "max by (invariant) (holdfast_verify_violations_total) > 0",
		Summary: "The auditor has found {{ $value }} violations of {{ $labels.invariant }}",
		seen:    "`holdfast verify --follow` has folded the log on its own, and it does not hold to an invariant.",
		means:   "The log has something that the rules forbid, such as stock that was sold twice. This must not happen.",
		remedy:  "[The auditor has found a violation](#the-auditor-has-found-a-violation).",
	},
	{
		Name: "HoldfastVerifyBehind", Severity: ticket, For: "10m",
		Expr:    "max(holdfast_verify_lag_seconds) > 60",
		Summary: "The auditor is {{ $value }} s behind the log",
		seen:    "`holdfast verify --follow` has not read all of the log for a minute.",
		means:   "Violations would be found later.",
		remedy:  "Give it CPU. After a restart without its folder it reads the whole log first.",
	},
}

// causeTests are, by alert, values with which it fires, values with which it does not, and the series that has them.
var causeTests = map[string][3]string{
	"HoldfastServiceDown":       {"0x180", "1x180", `up{job="order-api",instance="a:9464"}`},
	"HoldfastShardUnserved":     {"0x180", "1x180", `holdfast_shard_served{shard="1"}`},
	"HoldfastCommitStalled":     {"0+60x180", "50x180", `holdfast_shard_last_commit_age_seconds{shard="1"}`},
	"HoldfastOrdersUnsettled":   {"0+60x180", "0x180", `holdfast_shard_oldest_unsettled_seconds{shard="1"}`},
	"HoldfastStandbyBehind":     {"0+60x180", "3x180", `holdfast_shard_standby_lag_seconds{shard="1"}`},
	"HoldfastNoStandby":         {"0x180", "1x180", `holdfast_shard_standby_current{shard="1"}`},
	"HoldfastClockSkew":         {"-6x180", "0.1x180", `holdfast_shard_clock_skew_seconds{shard="1"}`},
	"HoldfastReconciled":        {"0+1x180", "3x180", `holdfast_shard_reconciled_total`},
	"HoldfastCheckpointDamaged": {"0+1x180", "3x180", `holdfast_shard_checkpoints_damaged_total`},
	"HoldfastViewStopped":       {"1x180", "0x180", `holdfast_view_stopped_partitions{view="orders"}`},
	"HoldfastLogStartCut":       {"1x180", "_x180", `holdfast_log_start_cut{topic="orders.events",partition="3"}`},
	"HoldfastMirrorStalled":     {"0+60x180", "1x180", `holdfast_mirror_lag_seconds`},
	"HoldfastDeadLetters":       {"0+1x180", "3x180", `holdfast_mirror_dead_letters_total`},
	"HoldfastClickHouseErrors":  {"0+60x180", "3x180", `holdfast_clickhouse_errors_total{job="a",operation="insert"}`},
	"HoldfastInsightFailing":    {"0+1x180", "3x180", `holdfast_insight_failures_total{insight="revenue",mode="live"}`},
	"HoldfastVerifyViolation":   {"1x180", "0x180", `holdfast_verify_violations_total{invariant="Oversold"}`},
	"HoldfastVerifyBehind":      {"0+60x180", "1x180", `holdfast_verify_lag_seconds`},
}

// runbookURL is where the alert's entry in the runbook is.
func (a *Alert) runbookURL() string {
	return "https://github.com/holdfast/holdfast/blob/main/docs/runbook.md#" + strings.ToLower(a.Name)
}

// template finds a value that Prometheus puts into a text.
var template = regexp.MustCompile(`\{\{ \$(?:labels\.)?(\w+) \}\}`)

// Runbook is the runbook's part on alerts: an entry for each name.
func Runbook() string {
	var b strings.Builder
	named := map[string]bool{}
	for _, a := range Alerts() {
		if named[a.Name] {
			continue
		}
		named[a.Name] = true
		b.WriteString("\n### " + a.Name + "\n\n" + wrap("*"+template.ReplaceAllString(a.Summary, "…")+".*") + "\n" +
			wrap("**What is seen.** "+a.seen) + "\n" + wrap("**What it means.** "+a.means) + "\n" +
			wrap("**What to do.** "+a.remedy))
	}
	return b.String()
}

// runbookColumns is the longest line of the runbook's entries.
const runbookColumns = 120

// wrap breaks a text into lines. Links keep their spaces together, so that each stays on one line.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		length := len([]rune(word))
		switch {
		case column == 0:
		case column+1+length > runbookColumns:
			b.WriteString("\n")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String() + "\n"
}
