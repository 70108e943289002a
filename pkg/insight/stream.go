package insight

import (
	"context"
	"maps"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// StreamTime is how long a whole answer may take, from the question to its last row.
const StreamTime = 10 * time.Minute

// Stream sends all rows of an answer to a sink. They are those of one query, so that the answer is of one moment, and
// they are not kept in memory. Limit and After of the question do not count. For the rest it is as Ask.
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
	settings := maps.Clone(computeSettings)
	settings["max_execution_time"] = int(StreamTime.Seconds())
	settings["max_bytes_before_external_sort"] = ComputeMemory / 4
	columns := append(columnNames(a.d.Keys), columnNames(a.d.Measures)...)
	refused, err := analytics.Stream(ctx, sink, columns,
		func(ctx context.Context, row func(values []string) error) error {
			return a.d.each(ctx, conn, query, settings, a.page, func(values, _ []string) error { return row(values) })
		})
	switch {
	case refused != nil:
		return refused
	case err != nil:
		return tooMuch(err, a.why, StreamTime)
	}
	return nil
}
