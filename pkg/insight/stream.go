package insight

import (
	"context"
	"maps"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// StreamTime is how long a whole answer may take, from the question to its last row.
const StreamTime = 10 * time.Minute

// Sink takes the rows of a whole answer, one by one. When it returns an error, no more rows follow.
type Sink interface {
	// Begin is called once, before the first row, with the names of the columns. An answer without rows has it, too. What
	// fails before it has sent nothing.
	Begin(columns []string) error
	Row(values []string) error
}

// Stream sends all rows of an answer to a sink. They are those of one query, so that the answer is of one moment, and
// they are not kept in memory. Limit and After of the question do not count. For the rest it is as Ask.
func (v *Version) Stream(
	ctx context.Context, conn *clickhouse.Conn, q Question, at, filled eventlog.Offsets, sink Sink,
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun, refused := false, error(nil)
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return sink.Begin(append(columnNames(a.d.Keys), columnNames(a.d.Measures)...))
	}
	err = a.d.each(ctx, conn, query, settings, a.page, func(values, _ []string) error {
		if refused = begin(); refused == nil {
			refused = sink.Row(values)
		}
		if refused != nil {
			cancel() // otherwise the rest of the rows would be read
		}
		return refused
	})
	switch {
	case refused != nil:
		return refused
	case err != nil:
		return tooMuch(err, a.why, StreamTime)
	}
	return begin()
}
