package observability

import "fmt"

// objective is what users may rely on: a share of events, or of time, that is good.
type objective struct {
	name    string // of its rules, as in holdfast:orders_accepted:errors_5m
	alert   string
	summary string
	// errors is the share that is bad, over a window: a PromQL expression with %s for the window.
	errors string
	// target is the share that is good, over 30 days.
	target float64
	// by are the labels that tell its series apart, as Prometheus templates: "{{ $labels.view }}".
	by string

	seen, means, remedy string
	// bad and good are series of promtool's tests, one sample a minute: with those of bad the alert fires, with those of
	// good it does not.
	bad, good []series
}

// viewAgeLimit is how old an answer of a view may be.
const viewAgeLimit = "5"

var objectives = []objective{
	{
		name: "orders_accepted", alert: "HoldfastOrdersNotAccepted", target: 0.999,
		summary: "Orders are not accepted: they are answered 429 or 503",
		errors: `sum(rate(holdfast_commands_total{command="place_order",outcome=~"overloaded|unavailable"}[%[1]s]))
/ (sum(rate(holdfast_commands_total{command="place_order"}[%[1]s])) > 0)`,
		seen: "Of the orders that clients place, more than the objective allows (1 of 1,000 over 30 days) are answered 429 " +
			"or 503. What a rule refuses, such as an order without stock, does not count.",
		means: "503: a shard has no owner, or Kafka does not answer. 429: orders come faster than a shard decides them. " +
			"Clients retry with the same key, so nothing is lost or done twice; but shoppers wait.",
		remedy: "`/readyz` of order-api names shards that are not served, and why: " +
			"[a replica cannot serve its shards](#a-replica-cannot-serve-its-shards). Where all are served, look at the queue " +
			"and the commit time on the dashboard of the write side. A long commit: look at the brokers. A long queue with " +
			"short commits: add replicas, up to the number of shards.",
		bad: []series{
			{`holdfast_commands_total{command="place_order",outcome="done"}`, "0+600x180"},
			{`holdfast_commands_total{command="place_order",outcome="unavailable"}`, "0+60x180"},
		},
		good: []series{
			{`holdfast_commands_total{command="place_order",outcome="done"}`, "0+600x180"},
			{`holdfast_commands_total{command="place_order",outcome="refused"}`, "0+60x180"},
			{`holdfast_commands_total{command="place_order",outcome="unavailable"}`, "0+0x180"},
		},
	},
	{
		name: "visible", alert: "HoldfastNotVisibleInTime", target: 0.99, by: "{{ $labels.view }}",
		summary: "The view {{ $labels.view }} shows events later than one second after they were decided",
		// The bucket of one second is named 1 or 1.0, by the version of Prometheus and the format that it scraped.
		errors: `1 - sum by (view) (rate(holdfast_view_visible_seconds_bucket{le=~"1|1\\.0"}[%[1]s]))
/ (sum by (view) (rate(holdfast_view_visible_seconds_count[%[1]s])) > 0)`,
		seen: "More than 1 of 100 flushes of a view showed an event later than a second after it was decided.",
		means: "Clients that read without `Holdfast-Min-Position` see old stock and orders; those that read with it wait, " +
			"and get 503 after 5 s. Commands are decided on the log, not on views: nothing is oversold.",
		remedy: "Look at the lag of the view on the dashboard of the read side. A lag that grows: the process has too " +
			"little CPU, or its disk is slow (the view of orders). No lag, but late events: Kafka's commits are slow, or " +
			"the clocks of the machines differ (`holdfast_shard_clock_skew_seconds`).",
		bad: []series{
			{`holdfast_view_visible_seconds_bucket{view="orders",le="1"}`, "0+30x180"},
			{`holdfast_view_visible_seconds_count{view="orders"}`, "0+60x180"},
		},
		good: []series{
			{`holdfast_view_visible_seconds_bucket{view="orders",le="1.0"}`, "0+60x180"},
			{`holdfast_view_visible_seconds_count{view="orders"}`, "0+60x180"},
		},
	},
	{
		name: "view_age", alert: "HoldfastViewOld", target: 0.999, by: "{{ $labels.view }}",
		summary: "The view {{ $labels.view }} is more than " + viewAgeLimit + " s old",
		errors:  `avg_over_time(holdfast:view_age:too_old[%[1]s])`,
		seen: "A view was more than " + viewAgeLimit + " s old (`Holdfast-Age-Ms` of its answers) for more than the " +
			"objective allows: 1 of 1,000 seconds over 30 days.",
		means: "The view does not follow the log: it has restarted and catches up, it has stopped at a record, or Kafka " +
			"does not say where the log ends. Answers show the view as it was.",
		remedy: "`/readyz` of the service says which. Catching up: wait, `holdfast_view_lag_records` falls. Stopped at a " +
			"record: [a shard stops at a record](#a-shard-stops-at-a-record). Kafka is silent: look at the brokers.",
		bad:  []series{{`holdfast_view_lag_seconds{view="orders"}`, "60x180"}},
		good: []series{{`holdfast_view_lag_seconds{view="orders"}`, "1x180"}},
	},
}

// burnRate is one pair of windows of an objective's alerts, after the SRE Workbook of Google, chapter 5: the budget of
// errors of 30 days is used up at a multiple of the rate that would use it up in 30 days. The long window says that it
// is worth an alert, the short one that it goes on.
type burnRate struct {
	long, short string
	factor      float64
	severity    string
}

var burnRates = []burnRate{
	{"1h", "5m", 14.4, page}, // 2 % of the budget in an hour
	{"6h", "30m", 6, page},   // 5 % in six hours
	{"3d", "6h", 1, ticket},  // 10 % in three days
	{"1d", "2h", 3, ticket},  // 10 % in a day
}

// windows are those of all burn rates.
var windows = []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"}

func (o *objective) rule(window string) string {
	return fmt.Sprintf("holdfast:%s:errors_%s", o.name, window)
}

// recordings are the rules that compute what alerts and dashboards compare.
func recordings() []rule {
	all := []rule{{
		Record: "holdfast:view_age:too_old", Expr: "max by (view) (holdfast_view_lag_seconds > bool " + viewAgeLimit + ")",
	}}
	for _, o := range objectives {
		for _, window := range windows {
			all = append(all, rule{Record: o.rule(window), Expr: fmt.Sprintf(o.errors, window)})
		}
	}
	return all
}

// alerts are those of the objective, one for each severity.
func (o *objective) alerts() []Alert {
	var all []Alert
	for _, severity := range []string{page, ticket} {
		expr := ""
		for _, b := range burnRates {
			if b.severity != severity {
				continue
			}
			if expr != "" {
				expr += "\nor\n"
			}
			limit := fmt.Sprintf("%g * %.4g", b.factor, 1-o.target)
			expr += fmt.Sprintf("(%s > %s and %s > %s)", o.rule(b.long), limit, o.rule(b.short), limit)
		}
		all = append(all, Alert{
			Name: o.alert, Severity: severity, Expr: expr, Summary: o.summary,
			seen: o.seen, means: o.means, remedy: o.remedy, bad: o.bad, good: o.good,
		})
	}
	return all
}
