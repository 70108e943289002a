package loadtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/schemas/insights"
)

// NewInsight is how long a new insight takes over the whole history.
type NewInsight struct {
	// Insight is the ready insight whose definition it has, Source where its rows come from.
	Insight string                    `json:"insight"`
	Source  client.CreateReplaySource `json:"source"`
	// Seconds are from its creation until it is staged: it covers the history, and answers questions.
	Seconds float64 `json:"seconds"`
}

// newInsights are the insights that are computed anew: one with rollups, and one with a stage for each customer.
var newInsights = []string{"revenue", "cohort_retention"}

// newPrefix begins the names of insights that the bench creates.
const newPrefix = "bench_"

// newDefinition is the definition of a ready insight under another name: it has nothing to do with the live one.
func newDefinition(name string) (string, error) {
	ready, err := insights.Ready()
	if err != nil {
		return "", err
	}
	return strings.Replace(string(ready[name+".yaml"]), "name: "+name, "name: "+newPrefix+name, 1), nil
}

// MeasureNewInsights computes insights over the history, one after the other.
func (r *ReplayReport) MeasureNewInsights(ctx context.Context, url string, progress func(string)) error {
	api := client.New(url)
	for _, source := range []client.CreateReplaySource{client.CreateReplaySourceMirror, client.CreateReplaySourceKafka} {
		for _, name := range newInsights {
			progress(fmt.Sprintf("%s is computed from %s", name, source))
			took, err := computeNew(ctx, api, name, source)
			if err != nil {
				return err
			}
			r.New = append(r.New, NewInsight{Insight: name, Source: source, Seconds: took.Seconds()})
		}
	}
	return nil
}

// computeNew creates an insight, waits until it is staged, and drops it.
func computeNew(
	ctx context.Context, api *client.Client, name string, source client.CreateReplaySource,
) (time.Duration, error) {
	text, err := newDefinition(name)
	if err != nil {
		return 0, err
	}
	created, err := api.CreateReplay(ctx, client.CreateReplay{Definition: text, Source: source})
	if err != nil {
		return 0, err
	}
	id := created.Value.ReplayID
	var phase client.ReplayPhase
	if err := api.FollowReplay(ctx, id, func(r *client.Replay) { phase = r.Phase }); err != nil {
		return 0, err
	}
	if phase != client.ReplayPhaseStaged {
		return 0, fmt.Errorf("the replay %s of %s is %s", id, name, phase)
	}
	log, err := api.ReplayLog(ctx, id)
	if err != nil {
		return 0, err
	}
	var took time.Duration
	for _, decision := range log.Value.Items {
		if decision.Type == client.ReplayDecisionTypeReplayFilled {
			took = decision.At.Sub(created.Value.CreatedAt)
		}
	}
	return took, api.DropInsight(ctx, newPrefix+name, client.Decide{Reason: "bench"})
}

// QuestionTimes are the times of answers to one question over HTTP, asked one after the other, in milliseconds.
type QuestionTimes struct {
	Question string  `json:"question"`
	Asked    int     `json:"asked"`
	Rows     int     `json:"rows"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	// Raw is true where the answer is computed from the table sales, for comparison.
	Raw bool `json:"raw"`
}

// How often each question is asked.
const (
	questionCount = 200
	rawCount      = 20
)

// What is asked: a year by month and country.
const (
	askedFrom, askedTo = "2011-01-01", "2012-01-01"
	maxAskedRows       = 5_000
)

// rawQuestion asks the table sales the same as the insight.
const rawQuestion = `name: bench_raw
description: Revenue of a year by month and country.
source: sales
where: >-
  counted_at >= toDateTime64('` + askedFrom + `', 6, 'UTC')
  AND counted_at < toDateTime64('` + askedTo + `', 6, 'UTC')
keys:
  month: formatDateTime(time, '%Y-%m')
  country: country
  currency: currency
measures:
  lines: count()
  quantity: sum(quantity)
  revenue: {sql: sum(toInt128(amount_micros)), unit: money}
`

const rawOrders = "  orders: uniqExactIf(order_id, quantity > 0)\n"

// MeasureQuestions asks for revenue by month and country.
func (r *ReplayReport) MeasureQuestions(ctx context.Context, url string, progress func(string)) error {
	api := client.New(url)
	sums := []string{"lines", "quantity", "sales", "credits", "revenue", "revenue_rounded"}
	live := func(measures []string, again bool) func() (int, error) {
		question := client.Question{
			By: []string{"month", "country"}, Measures: measures, From: askedFrom, To: askedTo, Limit: maxAskedRows,
		}
		return func() (int, error) {
			if !again { // another limit is another question, whose answer is not remembered
				question.Limit--
			}
			answer, err := api.Ask(ctx, "revenue", question)
			if err != nil {
				return 0, err
			}
			return len(answer.Value.Items), nil
		}
	}
	raw := func(text string) func() (int, error) {
		return func() (int, error) {
			answer, err := api.PreviewInsight(ctx, text, maxAskedRows)
			if err != nil {
				return 0, err
			}
			return len(answer.Value.Items), nil
		}
	}
	for _, q := range []struct {
		QuestionTimes
		ask func() (int, error)
	}{
		{QuestionTimes{Question: "all measures", Asked: questionCount}, live(nil, false)},
		{QuestionTimes{Question: "without orders", Asked: questionCount}, live(sums, false)},
		{QuestionTimes{Question: "all measures, asked again", Asked: questionCount}, live(nil, true)},
		{QuestionTimes{Question: "with orders", Asked: rawCount, Raw: true}, raw(rawQuestion + rawOrders)},
		{QuestionTimes{Question: "without orders", Asked: rawCount, Raw: true}, raw(rawQuestion)},
	} {
		progress(fmt.Sprintf("revenue by month and country is asked %d times, %s", q.Asked, q.Question))
		if err := q.measure(q.ask); err != nil {
			return err
		}
		r.Questions = append(r.Questions, q.QuestionTimes)
	}
	return nil
}

// measure asks once without measuring, so that the first question's connections and types are there, and then Asked
// times.
func (q *QuestionTimes) measure(ask func() (int, error)) (err error) {
	hist := newHistogram()
	for n := range q.Asked + 1 {
		begin := time.Now()
		if q.Rows, err = ask(); err != nil {
			return err
		}
		if n > 0 {
			_ = hist.RecordValue(min(time.Since(begin).Microseconds(), maxLatencyMicros)) // in range
		}
	}
	q.P50, q.P99 = ms(hist, 50), ms(hist, 99)
	return nil
}

// LoadDuringReplays compares orders with and without replays at full speed, in alternating runs.
type LoadDuringReplays struct {
	// PerSecond and PerSecondReplaying are the orders per second of each run of a closed loop. Ratio is the average of
	// the second divided by that of the first.
	PerSecond          []float64 `json:"orders_per_second"`
	PerSecondReplaying []float64 `json:"orders_per_second_replaying"`
	Ratio              float64   `json:"ratio"`
	// Lag and LagReplaying are from the answer of an order until a report has it, at LagRate orders a second.
	LagRate      float64     `json:"lag_rate"`
	Lag          *Visibility `json:"lag"`
	LagReplaying *Visibility `json:"lag_replaying"`
	// Replays is how many replays of the whole history were filled meanwhile.
	Replays int `json:"replays"`
}

// LoadConfig describes a load during replays.
type LoadConfig struct {
	// URLs take commands, ReportsURL has the reports and replays.
	URLs       []string
	ReportsURL string
	// Pairs of runs, with and without replays, of Duration each.
	Pairs    int
	Duration time.Duration
	Progress func(string)
}

const (
	lagRate     = 1_000
	loadCallers = 64
	loadSKUs    = 200
	loadWarmup  = time.Second
)

// MeasureLoad places orders with and without replays. The closed loops come last: they place more orders than the
// tables of insights are filled with in the meantime.
func (r *ReplayReport) MeasureLoad(ctx context.Context, cfg LoadConfig) error {
	l := &LoadDuringReplays{LagRate: lagRate}
	r.Load = l
	for _, replaying := range []bool{false, true} {
		cfg.Progress(fmt.Sprintf("%d orders a second, replaying: %t", lagRate, replaying))
		report, err := l.run(ctx, &cfg, Config{Concurrency: loadCallers, Rate: lagRate, Reports: true}, replaying)
		if err != nil {
			return err
		}
		if replaying {
			l.LagReplaying = report.Visible
		} else {
			l.Lag = report.Visible
		}
	}
	return l.measurePairs(ctx, &cfg)
}

// measurePairs compares closed loops.
func (l *LoadDuringReplays) measurePairs(ctx context.Context, cfg *LoadConfig) error {
	var sum, sumReplaying float64
	for pair := range cfg.Pairs {
		for _, replaying := range []bool{false, true} {
			cfg.Progress(fmt.Sprintf("pair %d of %d of closed loops, replaying: %t", pair+1, cfg.Pairs, replaying))
			report, err := l.run(ctx, cfg, Config{Concurrency: loadCallers}, replaying)
			if err != nil {
				return err
			}
			if replaying {
				l.PerSecondReplaying = append(l.PerSecondReplaying, report.PerSecond)
				sumReplaying += report.PerSecond
			} else {
				l.PerSecond = append(l.PerSecond, report.PerSecond)
				sum += report.PerSecond
			}
		}
	}
	l.Ratio = sumReplaying / sum
	return nil
}

// run places orders, and returns when reports have all of them, so that each run begins with a mirror that is up to
// date.
func (l *LoadDuringReplays) run(ctx context.Context, cfg *LoadConfig, load Config, replaying bool) (*Report, error) {
	load.URLs, load.ReportsURL, load.Duration = cfg.URLs, cfg.ReportsURL, cfg.Duration
	load.Warmup, load.SKUs = min(loadWarmup, cfg.Duration), loadSKUs
	if !replaying {
		return runLoad(ctx, load)
	}
	until, stop := context.WithCancel(ctx)
	defer stop()
	var replays sync.WaitGroup
	var failed error
	replays.Go(func() { failed = l.replayUntil(until, cfg.ReportsURL) })
	report, err := runLoad(ctx, load)
	stop()
	replays.Wait()
	return report, errors.Join(err, failed)
}

// runLoad is Run; orders without an answer that counts are an error.
func runLoad(ctx context.Context, load Config) (*Report, error) {
	report, err := Run(ctx, load)
	if err == nil && report.Errors > 0 {
		err = fmt.Errorf("%d orders got no answer that counts", report.Errors)
	}
	return report, err
}

// replayUntil computes new insights from the mirror one after the other, until ctx ends, and drops the last.
func (l *LoadDuringReplays) replayUntil(ctx context.Context, url string) error {
	api := client.New(url)
	for ctx.Err() == nil {
		for _, name := range newInsights {
			_, err := computeNew(ctx, api, name, client.CreateReplaySourceMirror)
			if ctx.Err() != nil {
				break
			}
			if err != nil {
				return err
			}
			l.Replays++
		}
	}
	return dropNew(context.WithoutCancel(ctx), api)
}

// dropNew drops the insights of a run that was interrupted.
func dropNew(ctx context.Context, api *client.Client) error {
	listed, err := api.Replays(ctx, client.ReplayFilter{})
	if err != nil {
		return err
	}
	dropped := map[string]bool{}
	for _, r := range listed.Value.Items {
		ended := r.Phase == client.ReplayPhaseCancelled || r.Phase == client.ReplayPhaseDiscarded
		if ended || dropped[r.Insight] || !strings.HasPrefix(r.Insight, newPrefix) {
			continue
		}
		dropped[r.Insight] = true
		if err := api.DropInsight(ctx, r.Insight, client.Decide{Reason: "bench"}); err != nil {
			return err
		}
	}
	return nil
}
