package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// dropTimeout bounds how long dropping the copy's database may take, also after an interruption.
const dropTimeout = 30 * time.Second

// checkRefill fills a copy of the mirror from the start of the log, in a database of its own, and compares the two.
func (c *checker) checkRefill(ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn) (err error) {
	if eventlog.PositionOf(c.ends).IsZero() {
		c.byID[Replayed].Note = "the log is empty"
		return nil
	}
	refilled, err := conn.Sibling("verify")
	if err != nil {
		return err
	}
	defer refilled.Close()
	if err := refilled.DropDatabase(ctx); err != nil { // left behind by a verification that was killed
		return err
	}
	defer func() {
		drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		err = errors.Join(err, refilled.DropDatabase(drop))
	}()
	if err := c.fillAgain(ctx, client, refilled); err != nil {
		return fmt.Errorf("fill the mirror again in database %s: %w", refilled.Database(), err)
	}
	return c.compareChecksums(ctx, conn, refilled)
}

// fillAgain mirrors the log from its start into a copy.
func (c *checker) fillAgain(ctx context.Context, client *eventlog.Client, refilled *clickhouse.Conn) error {
	m, err := analytics.New(analytics.Config{Client: client, Layout: c.layout, Conn: refilled, Alone: true})
	if err != nil {
		return err
	}
	filling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(filling) // a mirror that runs alone retries until it is stopped
	}()
	defer func() { stop(); <-done }()
	if err := c.awaitMirror(ctx, refilled); err != nil {
		return errors.Join(err, m.Ready())
	}
	return nil
}

func (c *checker) compareChecksums(ctx context.Context, conn, refilled *clickhouse.Conn) error {
	where := c.whatWasRead()
	first, err := analytics.NewReports(conn).Checksums(ctx, where)
	if err != nil {
		return err
	}
	again, err := analytics.NewReports(refilled).Checksums(ctx, where)
	if err != nil {
		return err
	}
	var notes []string
	for i, sum := range first {
		c.check(Replayed, sum == again[i],
			"%s: %d rows, hash %016x; filled again %d rows, hash %016x",
			sum.Table, sum.Rows, sum.Hash, again[i].Rows, again[i].Hash)
		notes = append(notes, fmt.Sprintf("%s %d rows %016x", sum.Table, sum.Rows, sum.Hash))
	}
	c.byID[Replayed].Note = strings.Join(notes, ", ")
	return nil
}
