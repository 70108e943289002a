package analytics

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// progress is how far the mirror is, as the table mirror_progress says.
type progress struct {
	// mirror is the UUID of the table itself. When somebody drops the mirror, the new table has another UUID. A
	// projector that has not noticed still writes progress with the old one, which does not count.
	mirror uuid.UUID
	// next are exclusive end offsets: all events below them have their rows.
	next eventlog.Offsets
	// currentAt is when the mirror was last known to have all events of the partition.
	currentAt map[eventlog.TopicPartition]time.Time
}

// neverCurrent is the currentAt of a partition that has not been current yet. ClickHouse keeps the greatest time, and
// every other time is greater.
var neverCurrent = time.UnixMicro(0)

const mirrorQuery = "SELECT uuid FROM system.tables WHERE database = currentDatabase() " +
	"AND name = '" + tableProgress + "'"

// mirrorID is the UUID of the present mirror.
func mirrorID(ctx context.Context, conn *clickhouse.Conn) (uuid.UUID, error) {
	id, err := queryUUID(ctx, conn, mirrorQuery)
	if err == nil && id == uuid.Nil {
		err = conn.Missing(tableProgress)
	}
	return id, err
}

const databaseQuery = "SELECT uuid FROM system.databases WHERE name = currentDatabase()"

// databaseID is the UUID of the database. It is the same whatever address the server is reached under, and stays the
// same when the mirror is rebuilt.
func databaseID(ctx context.Context, conn *clickhouse.Conn) (uuid.UUID, error) {
	id, err := queryUUID(ctx, conn, databaseQuery)
	if err == nil && id == uuid.Nil {
		err = fmt.Errorf("database %s has no UUID: give one of the engine Atomic, or let the mirror create it",
			conn.Database())
	}
	return id, err
}

// queryUUID is the result of a query for one UUID; uuid.Nil when there is no row.
func queryUUID(ctx context.Context, conn *clickhouse.Conn, query string) (id uuid.UUID, err error) {
	err = conn.Each(ctx, query, nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&id) })
	return id, err
}

const progressQuery = `SELECT topic, partition, max(next_offset), max(current_at)
FROM ` + tableProgress + ` WHERE mirror_id = {mirror:UUID} GROUP BY topic, partition`

// loadProgress reads how far the mirror is.
func loadProgress(ctx context.Context, conn *clickhouse.Conn) (*progress, error) {
	id, err := mirrorID(ctx, conn)
	if err != nil {
		return nil, err
	}
	for {
		p, err := loadProgressOf(ctx, conn, id)
		if err != nil {
			return nil, err
		}
		if id, err = mirrorID(ctx, conn); err != nil || id == p.mirror {
			return p, err
		} // else another mirror took its place meanwhile, whose table has no rows of this ID
	}
}

func loadProgressOf(ctx context.Context, conn *clickhouse.Conn, id uuid.UUID) (*progress, error) {
	p := &progress{mirror: id, next: eventlog.Offsets{}, currentAt: map[eventlog.TopicPartition]time.Time{}}
	params := clickhouse.Parameters{"mirror": id.String()}
	err := conn.Each(ctx, progressQuery, nil, params, func(rows clickhouse.Rows) error {
		var tp eventlog.TopicPartition
		var next int64
		var current time.Time
		if err := rows.Scan(&tp.Topic, &tp.Partition, &next, &current); err != nil {
			return err
		}
		p.next[tp], p.currentAt[tp] = next, current
		return nil
	})
	return p, err
}

// lastEvent is the event with the greatest offset of a partition that has a row. It may lie behind the progress, when a
// projector was killed after it wrote rows and before it wrote progress.
type lastEvent struct {
	offset int64
	digest uint64
}

const lastEventQuery = `SELECT offset, digest FROM ` + tableEvents + `
WHERE topic = {topic:String} AND partition = {partition:Int32} ORDER BY offset DESC LIMIT 1`

// loadLastEvents reads the last event of each partition. Partitions without rows are left out.
func loadLastEvents(
	ctx context.Context, conn *clickhouse.Conn, tps []eventlog.TopicPartition,
) (map[eventlog.TopicPartition]lastEvent, error) {
	last := map[eventlog.TopicPartition]lastEvent{}
	for _, tp := range tps {
		params := clickhouse.Parameters{"topic": tp.Topic, "partition": strconv.Itoa(int(tp.Partition))}
		err := conn.Each(ctx, lastEventQuery, nil, params, func(rows clickhouse.Rows) error {
			var e lastEvent
			err := rows.Scan(&e.offset, &e.digest)
			last[tp] = e
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

// saveProgress writes how far the mirror is. The caller must have written the rows before. Progress never goes back,
// because the greatest offset and time of a partition count.
func saveProgress(ctx context.Context, conn *clickhouse.Conn, p *progress) error {
	n := len(p.next)
	ids, topics, partitions := make([]uuid.UUID, 0, n), make([]string, 0, n), make([]int32, 0, n)
	offsets, times := make([]int64, 0, n), make([]time.Time, 0, n)
	for tp, offset := range p.next {
		at, ok := p.currentAt[tp]
		if !ok {
			at = neverCurrent
		}
		ids, topics, partitions = append(ids, p.mirror), append(topics, tp.Topic), append(partitions, tp.Partition)
		offsets, times = append(offsets, offset), append(times, at)
	}
	return conn.Insert(ctx, tableProgress, []clickhouse.Column{
		columnOf("mirror_id", &ids).Column,
		columnOf("topic", &topics).Column,
		columnOf("partition", &partitions).Column,
		columnOf("next_offset", &offsets).Column,
		columnOf("current_at", &times).Column,
	})
}
