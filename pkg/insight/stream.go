package insight

import (
	"context"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Stream sends all rows of an answer to a sink. They are those of one query, so that the answer is of one moment, and
// they are not kept in memory. Its limits are analytics.WholeAnswer and ComputeRows. Limit and After of the question do
// not count. For the rest it is as Ask.
func (v *Version) Stream(
	ctx context.Context, conn *clickhouse.Conn, q Question, at, filled eventlog.Offsets, sink analytics.Sink,
) error {
	q.After = ""
	a, err := v.plan(ctx, conn, q, extent{at: at, filled: filled}) // what was sent cannot be taken back
	if err != nil {
		return err
	}
	query, err := a.d.pageOf(a.query, a.page, 0)
	if err != nil {
		return err
	}
	columns := append(columnNames(a.d.Keys), columnNames(a.d.Measures)...)
	limits := analytics.WholeAnswer
	refused, err := limits.Stream(ctx, sink, columns,
		func(ctx context.Context, settings clickhouse.Settings, row func(values []string) error) error {
			settings["max_rows_to_read"] = ComputeRows
			return a.d.each(ctx, conn, query, settings, a.page, func(values, _ []string) error { return row(values) })
		})
	switch {
	case refused != nil:
		return refused
	case err != nil:
		return tooMuch(err, a.why, limits)
	}
	return nil
}
