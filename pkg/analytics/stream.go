package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// Limits are what a whole report or answer may take.
type Limits struct {
	// Time is from the question to the last row.
	Time time.Duration
	// Memory is that of ClickHouse, in bytes. Groups and sorted rows beyond a quarter of it go to ClickHouse's disk.
	Memory int64
}

// WholeAnswer are the limits of an answer with all rows. It may take longer than a page.
var WholeAnswer = Limits{Time: 10 * time.Minute, Memory: 2 << 30}

// Settings are the limits for ClickHouse.
func (l Limits) Settings() clickhouse.Settings {
	return clickhouse.Settings{
		"max_execution_time": int(l.Time.Seconds()), "max_memory_usage": l.Memory,
		"max_bytes_before_external_group_by": l.Memory / 4, "max_bytes_before_external_sort": l.Memory / 4,
	}
}

// ReportTooLargeError is the error for a whole report that takes more than it may.
type ReportTooLargeError struct {
	Limits Limits
	Err    error
}

// Error implements error.
func (e *ReportTooLargeError) Error() string {
	return fmt.Sprintf("All rows of the report take more than the %v or the %d MiB of memory that they may take: "+
		"ask for a shorter time (from, to)", e.Limits.Time, e.Limits.Memory>>20)
}

// Unwrap implements errors.Unwrap.
func (e *ReportTooLargeError) Unwrap() error { return e.Err }

// Sink takes the rows of a whole report or answer, one by one. When it returns an error, no more rows follow.
type Sink interface {
	// Begin is called once, before the first row, with the names of the columns. An answer without rows has it, too. What
	// fails before it has sent nothing.
	Begin(columns []string) error
	Row(values []string) error
}

// Stream sends rows to a sink, in at most the time of the limits. The function each calls row with the values of each
// row; its query must have the settings. refused is the error of the sink, which ended it; err is that of each.
func (l Limits) Stream(
	ctx context.Context, sink Sink, columns []string,
	each func(ctx context.Context, settings clickhouse.Settings, row func(values []string) error) error,
) (refused, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.Time) // the driver gives ClickHouse what is left of it
	defer cancel()
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return sink.Begin(columns)
	}
	err = each(ctx, l.Settings(), func(values []string) error {
		if refused = begin(); refused == nil {
			refused = sink.Row(values)
		}
		if refused != nil {
			cancel() // otherwise the rest of the rows would be read
		}
		return refused
	})
	if refused != nil || err != nil {
		return refused, err
	}
	return begin(), nil
}
