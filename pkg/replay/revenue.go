package replay

import (
	"context"
	"errors"
	"slices"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
)

// revenueInsight is the insight that the report on revenue is answered from.
const revenueInsight = "revenue"

// revenueMeasures are the measures of the report.
var revenueMeasures = []string{
	"orders", "credit_notes", "lines", "quantity", "sales", "credits", "revenue", "revenue_rounded",
	"goods", "discounts", "charges", "tax", "net",
}

// revenueKeys are the keys of the insight by the dimensions of the report.
var revenueKeys = map[analytics.Dimension]string{
	analytics.ByMonth: "month", analytics.ByDay: "day", analytics.ByCountry: "country", analytics.BySKU: "sku",
	analytics.ByCustomer: "customer_id",
}

// Reports are the reports of the mirror. Revenue is answered from its insight, where that is live: the figures are the
// same, and a long history takes less time.
type Reports struct {
	*analytics.Reports
	reader *Reader
}

// NewReports returns the reports of the reader's mirror.
func NewReports(reader *Reader) *Reports { return &Reports{Reports: reader.reports, reader: reader} }

// Revenue is analytics.Reports.Revenue. The answer is that of all events which the mirror has.
func (r *Reports) Revenue(ctx context.Context, q analytics.ReportQuery) (*analytics.Report, error) {
	version, at, filled, err := r.revenueInsight(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case version == nil:
		return r.Reports.Revenue(ctx, q)
	}
	answer, err := version.Ask(ctx, r.reader.Conn(), revenueQuestion(q), at, filled)
	var fault *insight.QuestionError
	switch {
	case errors.As(err, &fault) && fault.Parameter == "cursor":
		return nil, analytics.ErrCursor
	case err != nil:
		return nil, err
	}
	return revenueReport(answer), nil
}

// StreamRevenue is analytics.Reports.StreamRevenue, answered as Revenue is.
func (r *Reports) StreamRevenue(ctx context.Context, q analytics.ReportQuery, sink analytics.Sink) error {
	version, at, filled, err := r.revenueInsight(ctx, q)
	switch {
	case err != nil:
		return err
	case version == nil:
		return r.Reports.StreamRevenue(ctx, q, sink)
	}
	return version.Stream(ctx, r.reader.Conn(), revenueQuestion(q), at, filled, sink)
}

// revenueInsight is the version that answers the report, where the mirror is, and how far the version's table is; nil:
// the report is answered from the tables of the mirror.
func (r *Reports) revenueInsight(
	ctx context.Context, q analytics.ReportQuery,
) (version *insight.Version, at, filled eventlog.Offsets, err error) {
	version, from, err := r.reader.Find(ctx, revenueInsight, "")
	none := errors.Is(err, insight.ErrNoInsight) || errors.Is(err, insight.ErrNoVersion) ||
		errors.Is(err, insight.ErrComputing)
	switch {
	case none || err == nil && !answersRevenue(version, q):
		return nil, nil, nil, nil
	case err != nil:
		return nil, nil, nil, err
	}
	mirrored, err := r.reader.Mirrored(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	return version, mirrored.Position.Offsets(), from.Position.Offsets(), nil
}

// answersRevenue reports whether a version has what the report needs. Somebody may have made another one live.
func answersRevenue(v *insight.Version, q analytics.ReportQuery) bool {
	has := func(columns []insight.Column, name string) bool {
		return slices.ContainsFunc(columns, func(c insight.Column) bool { return c.Name == name })
	}
	for _, name := range revenueMeasures {
		if !has(v.Measures, name) {
			return false
		}
	}
	inZone := q.By != analytics.ByMonth && q.By != analytics.ByDay || v.Zone == q.ZoneName()
	return inZone && v.Source.Table == "sales" && has(v.Keys, revenueKeys[q.By]) && has(v.Keys, "currency") &&
		has(v.Keys, "sku")
}

func revenueQuestion(q analytics.ReportQuery) insight.Question {
	question := insight.Question{
		By: []string{revenueKeys[q.By], "currency"}, Measures: revenueMeasures, Where: map[string][]string{},
		From: q.From, To: q.To, Limit: q.Limit, After: q.After,
	}
	if q.By != analytics.ByMonth && q.By != analytics.ByDay {
		question.Order = "-revenue_rounded"
	}
	if q.Currency != "" {
		question.Where["currency"] = []string{q.Currency}
	}
	if q.SKU != "" {
		question.Where["sku"] = []string{q.SKU}
	}
	return question
}

func revenueReport(answer *insight.Answer) *analytics.Report {
	report := &analytics.Report{Next: answer.Next}
	for _, c := range answer.Columns {
		report.Columns = append(report.Columns, analytics.ReportColumn{Name: c.Name, Number: c.Unit == insight.Count})
	}
	for _, row := range answer.Rows {
		values := make([]string, len(answer.Columns))
		for i, c := range answer.Columns {
			values[i] = row[c.Name]
		}
		report.Rows = append(report.Rows, values)
	}
	return report
}
