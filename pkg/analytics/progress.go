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

// progress is how far the mirror is.
type progress struct {
	// mirror is the ID of the progress table. Who drops the mirror gets a new one, and a projector that has not
	// noticed yet writes progress that does not count.
	mirror uuid.UUID
	// next is below which offset all events have their rows, by partition.
	next eventlog.Offsets
	// currentAt is when the mirror was last known to hold the whole partition.
	currentAt map[eventlog.TopicPartition]time.Time
}

// neverCurrent is when a partition was current that never was: every other time is greater.
var neverCurrent = time.UnixMicro(0)

const mirrorQuery = "SELECT uuid FROM system.tables WHERE database = currentDatabase() AND name = '" + tableProgress + "'"

const progressQuery = `SELECT topic, partition, max(next_offset), max(current_at)
FROM ` + tableProgress + ` WHERE mirror_id = {mirror:UUID} GROUP BY topic, partition`

// mirrorID finds the present mirror.
func mirrorID(ctx context.Context, conn *clickhouse.Conn) (uuid.UUID, error) {
	var id uuid.UUID
	err := conn.Each(ctx, mirrorQuery, nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&id) })
	if err == nil && id == uuid.Nil {
		err = conn.Missing(tableProgress)
	}
	return id, err
}

const databaseQuery = "SELECT uuid FROM system.databases WHERE name = currentDatabase()"

// databaseID is the database's own, the same under every address of its server and after a rebuild of the mirror.
func databaseID(ctx context.Context, conn *clickhouse.Conn) (uuid.UUID, error) {
	var id uuid.UUID
	err := conn.Each(ctx, databaseQuery, nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&id) })
	if err == nil && id == uuid.Nil {
		err = fmt.Errorf("database %s has no UUID: give one of the engine Atomic, or let the mirror create it", conn.Database())
	}
	return id, err
}

// loadProgress reads how far the mirror is.
func loadProgress(ctx context.Context, conn *clickhouse.Conn) (*progress, error) {
	p := &progress{next: eventlog.Offsets{}, currentAt: map[eventlog.TopicPartition]time.Time{}}
	var err error
	if p.mirror, err = mirrorID(ctx, conn); err != nil {
		return nil, err
	}
	params := clickhouse.Parameters{"mirror": p.mirror.String()}
	err = conn.Each(ctx, progressQuery, nil, params, func(rows clickhouse.Rows) error {
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

// lastEvent is the event of a partition with the greatest offset that has a row, whether progress speaks of it or not.
type lastEvent struct {
	offset int64
	digest uint64
}

const lastEventQuery = `SELECT offset, digest FROM ` + tableEvents + `
WHERE topic = {topic:String} AND partition = {partition:Int32} ORDER BY offset DESC LIMIT 1`

// loadLastEvents reads the last event of each of the partitions that has any.
func loadLastEvents(ctx context.Context, conn *clickhouse.Conn, tps []eventlog.TopicPartition) (map[eventlog.TopicPartition]lastEvent, error) {
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

// saveProgress writes how far the mirror is, after the rows that it speaks of. It never takes back: the greatest
// counts.
func saveProgress(ctx context.Context, conn *clickhouse.Conn, mirror uuid.UUID, next eventlog.Offsets, currentAt map[eventlog.TopicPartition]time.Time) error {
	n := len(next)
	ids, topics, partitions := make([]uuid.UUID, 0, n), make([]string, 0, n), make([]int32, 0, n)
	offsets, times := make([]int64, 0, n), make([]time.Time, 0, n)
	for tp, offset := range next {
		at, ok := currentAt[tp]
		if !ok {
			at = neverCurrent
		}
		ids, topics, partitions = append(ids, mirror), append(topics, tp.Topic), append(partitions, tp.Partition)
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
