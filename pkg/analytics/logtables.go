package analytics

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// blockRows is how many rows one call of ReadBlock writes, about.
const blockRows = 200_000

// LogTables makes rows of a table of the mirror from the log itself, in a database of their own. The mirror is not
// asked, so that what is computed from them can be compared with what is computed from the mirror. It is for one
// goroutine.
type LogTables struct {
	client   *eventlog.Client
	conn     *clickhouse.Conn
	follower *eventlog.Follower
	upTo     eventlog.Offsets
	wanted   []string
	batch    *batch
	sales    *salesFold
	reached  eventlog.Offsets // by what was read
	next     eventlog.Offsets // by what was written
}

// OpenLogTables creates the tables in conn's database unless they exist, and reads from the given offsets on: those
// that an earlier one has reached, or nothing. upTo are the exclusive end offsets of the partitions to read.
func OpenLogTables(
	ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn, logger *slog.Logger, table string,
	from, upTo eventlog.Offsets,
) (*LogTables, error) {
	wanted := []string{table}
	if table == tableSales { // a fold of sales reads earlier events of its orders
		wanted = append(wanted, tableOrders, tableOrderLines)
	}
	if err := migrate(ctx, conn, logger); err != nil {
		return nil, err
	}
	start := eventlog.Offsets{}
	for tp := range upTo {
		start[tp] = from[tp]
	}
	follower, err := client.FollowInterleaved(start)
	if err != nil {
		return nil, err
	}
	l := &LogTables{
		client: client, conn: conn, follower: follower, upTo: upTo, wanted: wanted, batch: newBatch(),
		reached: start, next: start.Clone(),
	}
	l.sales = newSalesFold(conn, func(context.Context) error { return nil }) // a block is written before the next is read
	return l, nil
}

// Has reports whether rows of a table are made.
func (l *LogTables) Has(table string) bool { return slices.Contains(l.wanted, table) }

// Continue raises the end offsets of the partitions that are read. What the follower has read behind the ones before is
// read again.
func (l *LogTables) Continue(upTo eventlog.Offsets) error {
	if l.next.Reaches(upTo) {
		return nil
	}
	end, start := l.upTo.Clone(), eventlog.Offsets{}
	end.Merge(upTo)
	for tp := range end {
		start[tp] = l.next[tp]
	}
	follower, err := l.client.FollowInterleaved(start)
	if err != nil {
		return err
	}
	l.follower.Close()
	l.follower, l.upTo, l.reached, l.next = follower, end, start, start.Clone()
	return nil
}

// Done reports whether all events below upTo have their rows.
func (l *LogTables) Done() bool { return l.next.Reaches(l.upTo) }

// Next are the exclusive end offsets of what has its rows.
func (l *LogTables) Next() eventlog.Offsets { return l.next.Clone() }

// ReadBlock reads some of the log, and writes its rows. Events that cannot be decoded have none: the mirror parks them.
func (l *LogTables) ReadBlock(ctx context.Context) error {
	for l.batch.count() < blockRows && !l.reached.Reaches(l.upTo) {
		records, reached, err := l.follower.Poll(ctx)
		if err != nil {
			return err
		}
		for i := range records {
			rec := &records[i]
			if rec.Offset >= l.upTo[rec.TopicPartition] {
				continue
			}
			_ = l.batch.add(rec) // what cannot be decoded has no rows
		}
		for tp, offset := range reached {
			l.reached[tp] = min(offset, l.upTo[tp])
		}
	}
	if l.Has(tableSales) {
		if err := l.batch.foldSales(ctx, l.sales); err != nil {
			return err
		}
	}
	for _, in := range l.batch.inserts() {
		if !l.Has(in.table) {
			continue
		}
		if err := l.conn.Insert(ctx, in.table, in.columns); err != nil {
			return fmt.Errorf("rows of the log: %w", err)
		}
	}
	l.batch.reset()
	l.next = l.reached.Clone()
	return nil
}

// Close ends the reading.
func (l *LogTables) Close() { l.follower.Close() }
