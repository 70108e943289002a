package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
)

const (
	// fenceName is the constraint on a table that refuses inserts.
	fenceName = "swap_fence"
	// fencePoll is how often AwaitInserts looks.
	fencePoll = 10 * time.Millisecond
)

// Fence refuses inserts into the tables for as long as it lasts, by the server's clock. It ends by itself, so that a
// caller that is killed leaves nothing that somebody must mend. An insert that is refused has written nothing, and
// IsFenced is true for its error. Inserts that are running may still succeed: AwaitInserts waits for them. Reads go on.
//
// The fence is a constraint with a time in it. Exchange takes it away together with the table.
func (c *Conn) Fence(ctx context.Context, tables []string, lasts time.Duration) error {
	var until string
	err := c.Each(ctx, fmt.Sprintf("SELECT toString(now64(3, 'UTC') + toIntervalMillisecond(%d))", lasts.Milliseconds()),
		nil, nil, func(rows Rows) error { return rows.Scan(&until) })
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := c.dropFence(ctx, table); err != nil { // an older one that has ended
			return err
		}
		err := c.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK now64(3) >= toDateTime64('%s', 3, 'UTC')",
			identifier(table), fenceName, until), nil, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// Unfence ends a fence early.
func (c *Conn) Unfence(ctx context.Context, tables []string) error {
	for _, table := range tables {
		if err := c.dropFence(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) dropFence(ctx context.Context, table string) error {
	return c.Exec(ctx, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", identifier(table), fenceName), nil, nil)
}

// AwaitInserts waits until no insert into the tables is running. Inserts of other users are seen with the grant SHOW
// PROCESSES only.
func (c *Conn) AwaitInserts(ctx context.Context, tables []string) error {
	begin := make([]string, len(tables))
	for i, table := range tables {
		begin[i] = "startsWith(query, " + Literals("INSERT INTO "+table+" ") + ")"
	}
	query := "SELECT count() FROM " + c.everywhere("system.processes") + " WHERE query_kind = 'Insert' AND " +
		"current_database = {database:String} AND (" + strings.Join(append(begin, "false"), " OR ") + ")"
	for {
		var running uint64
		err := c.Each(ctx, query, nil, Parameters{"database": c.database},
			func(rows Rows) error { return rows.Scan(&running) })
		if err != nil || running == 0 {
			return err
		}
		if err := backoff.Sleep(ctx, fencePoll); err != nil {
			return err
		}
	}
}

// IsFenced reports whether the error says that Fence refuses inserts into the table.
func IsFenced(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == codeConstraint && strings.Contains(e.Err.Error(), fenceName)
}
