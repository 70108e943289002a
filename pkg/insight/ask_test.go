package insight_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
)

// questionsOf are questions to each rollup: all its keys, and some of them.
func questionsOf(v *insight.Version) []insight.Question {
	questions := []insight.Question{{Limit: insight.MaxAnswerRows}}
	for _, keys := range v.Rollups {
		questions = append(questions,
			insight.Question{By: keys, Limit: insight.MaxAnswerRows},
			insight.Question{By: keys[:1], Limit: insight.MaxAnswerRows})
	}
	return questions
}

// plainly asks one plain query over the mirror, with the condition that offsets are below at.
func plainly(
	t *testing.T, conn *clickhouse.Conn, v *insight.Version, q insight.Question, at eventlog.Offsets,
) []string {
	t.Helper()
	d := *v.Definition
	d.Rollups = nil
	if at != nil {
		condition := "0"
		for tp, end := range at {
			condition += fmt.Sprintf(" OR topic = '%s' AND partition = %d AND offset < %d", tp.Topic, tp.Partition, end)
		}
		if d.Where.SQL != "" {
			condition = "(" + d.Where.SQL + ") AND (" + condition + ")"
		}
		d.Where.SQL = condition
	}
	if q.By != nil {
		d.Keys = slices.DeleteFunc(slices.Clone(d.Keys), func(c insight.Column) bool {
			return !slices.Contains(q.By, c.Name) && (c.Name != "currency" || !d.HasMoney())
		})
	}
	answer, err := d.Preview(t.Context(), conn, insight.MaxPreviewRows)
	if err != nil {
		t.Fatal(err)
	}
	return answerLines(answer)
}

// compareRollups compares the answers of a table with those of plain queries.
func compareRollups(t *testing.T, conn *clickhouse.Conn, v *insight.Version, at, filled eventlog.Offsets) {
	t.Helper()
	for _, q := range questionsOf(v) {
		got, err := v.Ask(t.Context(), conn, q, at, filled)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if kept := got.Computed == ""; kept != (q.By != nil || len(v.Rollups) == 0) {
			t.Errorf("%s by %v was answered from the table: %v, %q", v.Name, q.By, kept, got.Computed)
		}
		if g, w := answerLines(got), plainly(t, conn, v, q, at); !slices.Equal(g, w) {
			t.Errorf("%s by %v at %v, filled to %v: the answer is\n%.500s\nand of one query\n%.500s",
				v.Name, q.By, at, filled, strings.Join(g, "\n"), strings.Join(w, "\n"))
		}
	}
}

// kept is a version of an insight that comes with the program, with a table that has all events.
func kept(t *testing.T, conn *clickhouse.Conn, name string, upTo int64) *insight.Version {
	t.Helper()
	d, err := insight.Read("../../schemas/insights/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return keptOf(t, conn, d, upTo)
}

func keptOf(t *testing.T, conn *clickhouse.Conn, d *insight.Definition, upTo int64) *insight.Version {
	t.Helper()
	v, err := insight.NewVersion(d, d.TableName("test"))
	if err != nil {
		t.Fatal(err)
	}
	v.SetSegmentOffsets(100)
	if err := v.Create(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if upTo > 0 {
		if err := v.Fill(t.Context(), conn, interval(0, 0, upTo), interval(1, 0, upTo)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// interval are events of a partition of the shop, which has two.
func interval(partition int32, from, upTo int64) insight.Interval {
	return insight.Interval{TopicPartition: shopPartition(partition), From: from, UpTo: upTo}
}

func shopPartition(partition int32) eventlog.TopicPartition {
	return eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: partition}
}

// Whatever has been filled, the answer at an offset vector is that of one plain query over the events below it.
func TestAnswersAtOffsetsAreThoseOfTheEventsBelow(t *testing.T) {
	conn := database(t)
	h := newHistory(250)
	end := h.insert(t, conn)
	seed := rand.Uint64()
	dice := rand.New(rand.NewPCG(seed, 1))
	t.Log("seed", seed)
	for _, name := range []string{"revenue", "returns", "order_funnel", "rfm", "lost_sales"} {
		v := kept(t, conn, name, 0)
		filled := eventlog.Offsets{}
		for range 3 {
			for p := range int32(2) { // it fills, and may know of less
				from := filled[shopPartition(p)]
				upTo := from + dice.Int64N(end-from+1)
				if upTo > from {
					if err := v.Fill(t.Context(), conn, interval(p, from, upTo)); err != nil {
						t.Fatal(err)
					}
				}
				filled[shopPartition(p)] = upTo
			}
			known := maps.Clone(filled)
			switch p := shopPartition(dice.Int32N(2)); dice.IntN(3) {
			case 0:
				delete(known, p)
			case 1: // a fill came since, and its rows have replaced those before
				known[p] -= dice.Int64N(min(known[p], 50) + 1)
				if err := conn.Exec(t.Context(), "OPTIMIZE TABLE "+v.Table+" FINAL", nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			at := eventlog.Offsets{shopPartition(0): dice.Int64N(end + 1), shopPartition(1): dice.Int64N(end + 1)}
			if dice.IntN(2) == 0 { // the mirror is further than the table, as it is for most answers
				for tp := range at {
					at[tp] = filled[tp] + dice.Int64N(end-filled[tp]+1)
				}
			}
			if dice.IntN(4) == 0 {
				delete(at, shopPartition(1))
			}
			compareRollups(t, conn, v, at, known)
		}
		compareRollups(t, conn, v, eventlog.Offsets{}, filled)
	}
}

// ask asks, and returns the answer as lines in its order.
func ask(t *testing.T, conn *clickhouse.Conn, v *insight.Version, q insight.Question) (*insight.Answer, []string) {
	t.Helper()
	answer, err := v.Ask(t.Context(), conn, q, nil, nil)
	if err != nil {
		t.Fatalf("%s: %+v: %v", v.Name, q, err)
	}
	return answer, rowTexts(answer)
}

func rowTexts(a *insight.Answer) (lines []string) {
	for _, row := range a.Rows {
		var texts []string
		for _, c := range a.Columns {
			texts = append(texts, row[c.Name])
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	return lines
}

func utc(day string) time.Time {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	return at
}

// Filters, times and zones choose rows: from the table where it has what is needed, and else from the source, and the
// two say the same.
func TestQuestionsToTheTableAndToTheSource(t *testing.T) {
	conn := database(t)
	h := newHistory(300)
	end := h.insert(t, conn)
	revenue := kept(t, conn, "revenue", end)
	// The same insight without rollups that serve: all is computed.
	d, err := insight.Read("../../schemas/insights/revenue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d.Rollups = []insight.Rollup{{"currency"}}
	computed := keptOf(t, conn, d, end)
	type where = map[string][]string
	for _, c := range []struct {
		q      insight.Question
		rollup insight.Rollup // nil: it is computed
	}{
		{insight.Question{By: []string{"month", "country"}}, insight.Rollup{"month", "country", "currency"}},
		{insight.Question{By: []string{"country"}, Where: where{"month": {"2026-01", "2026-03"}}},
			insight.Rollup{"month", "country", "currency"}},
		{insight.Question{By: []string{"day"}, From: utc("2026-02-01"), To: utc("2026-02-10")},
			insight.Rollup{"day", "country", "currency"}},
		{insight.Question{By: []string{"sku"}, From: utc("2026-02-01"), To: utc("2026-03-01")},
			insight.Rollup{"month", "sku", "currency"}},
		{insight.Question{By: []string{"sku"}, From: utc("2026-02-02")}, nil},
		{insight.Question{By: []string{"country"}, To: utc("2026-02-02").Add(time.Hour)}, nil},
		{insight.Question{By: []string{"sku", "country"}, Where: where{"sku": {"A", "B'"}}}, nil},
		{insight.Question{By: []string{"customer_id"}, Where: where{"customer_id": {"", "c-1"}, "currency": {"EUR"}}},
			insight.Rollup{"month", "customer_id", "currency"}},
		{insight.Question{By: []string{}, Measures: []string{"revenue"}, Order: "-revenue"},
			insight.Rollup{"month", "country", "currency"}},
		{insight.Question{By: []string{"day"}, Zone: "America/New_York"}, nil},
		{insight.Question{By: []string{"month"}, Zone: "Asia/Tokyo", From: utc("2026-02-01").Add(-9 * time.Hour)}, nil},
		// The zone says which moment is meant, and the days of the definition have it.
		{insight.Question{By: []string{"country"}, Zone: "Europe/London", From: utc("2026-02-01")},
			insight.Rollup{"month", "country", "currency"}},
	} {
		c.q.Limit = insight.MaxAnswerRows
		answer, got := ask(t, conn, revenue, c.q)
		if !slices.Equal(answer.Rollup, c.rollup) || (c.rollup == nil) != (answer.Computed != "") {
			t.Errorf("%+v was answered from %v (%s), and should be from %v", c.q, answer.Rollup, answer.Computed, c.rollup)
		}
		if _, want := ask(t, conn, computed, c.q); len(got) == 0 || !slices.Equal(got, want) {
			t.Errorf("%+v: the answer is\n%.300s\nand from the source\n%.300s",
				c.q, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Pages together are the answer, in its order, also where rows are equal or have no value.
func TestPagesTogetherAreTheAnswer(t *testing.T) {
	conn := database(t)
	h := newHistory(300)
	end := h.insert(t, conn)
	for _, c := range []struct{ name, order string }{
		{"revenue", ""}, {"revenue", "-revenue"}, {"revenue", "orders"}, {"revenue", "-country"},
		{"returns", "-return_rate"}, {"returns", "cancellation_rate"}, {"order_funnel", "-confirmed_to_shipped_median"},
		{"orders_by_hour", "hour"}, {"rfm", "segment"}, {"cohort_retention", "-cohort"},
	} {
		v := kept(t, conn, c.name, end)
		q := insight.Question{Order: c.order, Limit: insight.MaxAnswerRows}
		if c.name == "revenue" {
			q.By = []string{"month", "country"}
		}
		_, whole := ask(t, conn, v, q)
		var pages []string
		for q.Limit = 3; ; {
			answer, page := ask(t, conn, v, q)
			pages = append(pages, page...)
			if q.After = answer.Next; q.After == "" {
				break
			}
		}
		if !slices.Equal(whole, pages) || len(whole) < 5 {
			t.Errorf("%s by %s: the pages are\n%s\nand the whole\n%s", c.name, c.order,
				strings.Join(pages, "\n"), strings.Join(whole, "\n"))
		}
	}
}

// With an entity, times choose by its first key of days or months, and what came later is in the answer.
func TestTimesOfEntitiesChooseByTheirKey(t *testing.T) {
	conn := database(t)
	h := newHistory(300)
	funnel := kept(t, conn, "order_funnel", h.insert(t, conn))
	_, all := ask(t, conn, funnel, insight.Question{Limit: insight.MaxAnswerRows})
	_, some := ask(t, conn, funnel,
		insight.Question{Limit: insight.MaxAnswerRows, From: utc("2026-02-01"), To: utc("2026-02-05")})
	want := slices.DeleteFunc(slices.Clone(all), func(line string) bool {
		return line < "2026-02-01" || line >= "2026-02-05"
	})
	if len(some) == 0 || !slices.Equal(some, want) {
		t.Errorf("the answer is\n%s\nand should be\n%s", strings.Join(some, "\n"), strings.Join(want, "\n"))
	}
	// In Tokyo some orders are of the next day. They are computed.
	answer, _ := ask(t, conn, funnel, insight.Question{Limit: 10, Zone: "Asia/Tokyo"})
	if answer.Computed != "days and months are kept in the zone UTC" {
		t.Errorf("another zone was answered with %q", answer.Computed)
	}
}

// A key that multiplies rows does so too when it is not asked for.
func TestKeysThatMultiplyRowsAlwaysDo(t *testing.T) {
	conn := database(t)
	h := newHistory(300)
	end := h.insert(t, conn)
	cohorts := kept(t, conn, "cohort_retention", end)
	q := insight.Question{By: []string{"cohort"}, Limit: insight.MaxAnswerRows}
	_, whole := ask(t, conn, cohorts, q)
	q.Measures = []string{"customers"}
	_, one := ask(t, conn, cohorts, q)
	for i := range whole {
		if !strings.HasPrefix(whole[i], one[i]) {
			t.Errorf("with all measures %s, with one %s", whole[i], one[i])
		}
	}

	text := "name: parts\ndescription: d\nsource: sales\nrollups: [[currency], []]\n" +
		"keys: {part: \"arrayJoin(splitByChar('-', order_id))\", currency: currency}\nmeasures: {n: count()}\n"
	d, err := insight.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	parts := keptOf(t, conn, d, end)
	_, all := ask(t, conn, parts, insight.Question{By: []string{}, Limit: 1})
	_, one = ask(t, conn, parts, insight.Question{By: []string{}, Limit: 1, Where: map[string][]string{"part": {"o"}}})
	if want := fmt.Sprint(2 * len(h.sales)); !slices.Equal(all, []string{want}) ||
		!slices.Equal(one, []string{fmt.Sprint(len(h.sales))}) {
		t.Errorf("there are %v parts and %v of them o, want %s and half of it", all, one, want)
	}
}

// Amounts beyond an int64 are exact.
func TestAmountsBeyondInt64(t *testing.T) {
	conn := database(t)
	const rows = "INSERT INTO sales (offset, currency, quantity, amount_micros) VALUES " +
		"(1, 'EUR', 1, 9223372036854775807), (2, 'EUR', 1, 9223372036854775803)"
	if err := conn.Exec(t.Context(), rows, nil, nil); err != nil {
		t.Fatal(err)
	}
	v := kept(t, conn, "revenue", 10)
	_, lines := ask(t, conn, v, insight.Question{By: []string{}, Measures: []string{"revenue"}, Limit: 1})
	if !slices.Equal(lines, []string{"EUR|18446744073709.55161"}) {
		t.Errorf("the sum is %v", lines)
	}
}

// What cannot be asked is an error that names the parameter and says what it must be.
func TestFaultsOfQuestions(t *testing.T) {
	conn := database(t)
	revenue, byHour := kept(t, conn, "revenue", 0), kept(t, conn, "orders_by_hour", 0)
	funnel, segments := kept(t, conn, "order_funnel", 0), kept(t, conn, "rfm", 0)
	many := make([]string, insight.MaxKeyValues+1)
	for _, c := range []struct {
		v               *insight.Version
		q               insight.Question
		parameter, want string
	}{
		{revenue, insight.Question{}, "limit", "must be from 1 to 5000"},
		{revenue, insight.Question{Limit: insight.MaxAnswerRows + 1}, "limit", "must be from 1 to 5000"},
		{revenue, insight.Question{By: []string{"colour"}}, "by", `names "colour", which is no key; there are month, day`},
		{revenue, insight.Question{By: []string{"day", "day"}}, "by", "names day twice"},
		{revenue, insight.Question{Measures: []string{"x"}}, "measures", `names "x", which is no measure; there are orders`},
		{revenue, insight.Question{Where: map[string][]string{"x": {"1"}}}, "x", "is no key; there are month"},
		{revenue, insight.Question{Where: map[string][]string{"sku": {}}}, "sku", "must have 1 to 1000 values"},
		{revenue, insight.Question{Where: map[string][]string{"sku": many}}, "sku", "must have 1 to 1000 values"},
		{revenue, insight.Question{By: []string{"sku"}, Order: "day"}, "order", "must be one of sku, currency, orders"},
		{revenue, insight.Question{Zone: "Mars/Base"}, "tz", "must be a time zone of the IANA database"},
		{revenue, insight.Question{Zone: "Local"}, "tz", "must be a time zone of the IANA database"},
		{revenue, insight.Question{By: []string{"sku"}, Zone: "Asia/Tokyo"}, "tz", "makes no difference"},
		{segments, insight.Question{From: utc("2026-01-01")}, "from", "cannot be asked for"},
		{segments, insight.Question{To: utc("2026-01-01")}, "to", "cannot be asked for"},
		{funnel, insight.Question{From: utc("2026-01-01").Add(1)}, "from", "and to must be the beginning of a day"},
		{revenue, insight.Question{From: utc("2026-01-01"), To: utc("2026-01-01")}, "to", "must be after from"},
		{revenue, insight.Question{From: utc("1899-12-31")}, "from", "must be in the years 1900 to 2299"},
		{revenue, insight.Question{To: utc("2300-01-01")}, "to", "must be in the years 1900 to 2299"},
		{byHour, insight.Question{Limit: 1, After: "{}"}, "cursor", "is not one of this question"},
		{byHour, insight.Question{Limit: 1, After: `["1"]`}, "cursor", "is not one of this question"},
	} {
		if c.q.Limit == 0 && c.parameter != "limit" {
			c.q.Limit = 10
		}
		_, err := c.v.Ask(t.Context(), conn, c.q, nil, nil)
		var fault *insight.QuestionError
		if !errors.As(err, &fault) || fault.Parameter != c.parameter || !strings.HasPrefix(fault.Message, c.want) {
			t.Errorf("%+v: %v, want %s %s", c.q, err, c.parameter, c.want)
		}
	}
	// A cursor with a value that is none is the place behind all rows.
	answer, err := byHour.Ask(t.Context(), conn, insight.Question{Limit: 1, After: `["x","y"]`}, nil, nil)
	if err != nil || len(answer.Rows) != 0 {
		t.Errorf("a cursor without numbers: %v, %v", answer, err)
	}
}

// An answer that takes too long is an error that says why it was not read from the table.
func TestQuestionsThatTakeTooMuch(t *testing.T) {
	conn := database(t)
	v := kept(t, conn, "revenue", 0)
	if _, err := v.Ask(t.Context(), conn, insight.Question{Limit: 1}, nil, nil); err != nil { // learns the types
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	_, err := v.Ask(late, conn, insight.Question{Limit: 1}, nil, nil)
	var much *insight.QuestionTooLargeError
	if !errors.As(err, &much) || !strings.Contains(err.Error(), "no rollup has all keys of the question") ||
		!errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("all keys: %v", err)
	}
	_, err = v.Ask(late, conn, insight.Question{By: []string{"month"}, Limit: 1}, nil, nil)
	if !errors.As(err, &much) || much.Why != "" || !strings.Contains(err.Error(), "ask for fewer keys") {
		t.Errorf("keys of a rollup: %v", err)
	}
	none := &wholeAnswer{}
	err = v.Stream(late, conn, insight.Question{}, nil, nil, none)
	if !errors.As(err, &much) || much.Limits != analytics.WholeAnswer ||
		!strings.Contains(err.Error(), "than the 10m0s") || none.columns != nil {
		t.Errorf("all rows: %v, after the heading %v", err, none.columns)
	}
}

// wholeAnswer is an analytics.Sink.
type wholeAnswer struct {
	columns []string
	rows    []string
}

func (w *wholeAnswer) Begin(columns []string) error {
	w.columns = slices.Clone(columns)
	return nil
}

func (w *wholeAnswer) Row(values []string) error {
	w.rows = append(w.rows, strings.Join(values, "|"))
	return nil
}

// A whole answer has the rows of all pages, whether it is kept or computed.
func TestAWholeAnswerIsThatOfAllPages(t *testing.T) {
	conn := database(t)
	v := kept(t, conn, "revenue", newHistory(100).insert(t, conn))
	for _, by := range [][]string{{"month", "currency"}, {"day", "sku", "customer_id", "currency"}} {
		whole := &wholeAnswer{}
		if err := v.Stream(t.Context(), conn, insight.Question{By: by, Limit: 7}, nil, nil, whole); err != nil {
			t.Fatal(err)
		}
		answer, err := v.Ask(t.Context(), conn, insight.Question{By: by, Limit: insight.MaxAnswerRows}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(whole.rows)
		if !slices.Equal(whole.columns[:len(by)], by) || len(whole.rows) == 0 ||
			!slices.Equal(whole.rows, answerTexts(answer)) {
			t.Errorf("by %v: columns %v, %d rows, and %d in pages", by, whole.columns, len(whole.rows), len(answer.Rows))
		}
	}
}

// An answer is read once for as long as the table is not filled further. Who asks something else gets something else.
func TestAnswersAreRememberedUntilTheTableIsFilled(t *testing.T) {
	conn := database(t)
	end := newHistory(100).insert(t, conn)
	v := kept(t, conn, "top_products", end/2)
	ask := func(q insight.Question, filled int64) *insight.Answer {
		t.Helper()
		q.Limit = insight.MaxAnswerRows
		at := eventlog.Offsets{shopPartition(0): filled, shopPartition(1): filled}
		answer, err := v.Ask(t.Context(), conn, q, nil, at)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	totals, byMonth := insight.Question{By: []string{}}, insight.Question{By: []string{"month"}}
	first, all := ask(totals, end/2), ask(insight.Question{}, end/2)
	if months := ask(byMonth, end/2); slices.Equal(rowTexts(first), rowTexts(months)) || len(all.Rows) < 2 {
		t.Errorf("by nothing %v, by month %v, by all keys %v", rowTexts(first), rowTexts(months), rowTexts(all))
	}
	if err := v.Fill(t.Context(), conn, interval(0, end/2, end), interval(1, end/2, end)); err != nil {
		t.Fatal(err)
	}
	if again := ask(totals, end/2); again != first {
		t.Error("the same question was read again although nothing is known to have changed")
	}
	filled := ask(totals, end)
	if got, want := answerLines(filled), plainly(t, conn, v, totals, nil); !slices.Equal(got, want) {
		t.Errorf("after the table was filled: %v, want %v", got, want)
	}
	if ask(totals, end) != filled {
		t.Error("the second answer is not remembered")
	}
}
