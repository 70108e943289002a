package analytics

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// DeadLetter says that the mirror could not decode an event. It does not contain the event, which stays in the log at
// this topic, partition and offset.
type DeadLetter struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Reason    string    `json:"reason"`
	ParkedAt  time.Time `json:"parked_at"`
	// Retried is true once a retry has written the rows of the event.
	Retried bool `json:"settled,omitempty"`
}

// Place is where the event is, in the form that `holdfast dead-letters` accepts: orders.events/3/17 is offset 17 of
// partition 3.
func (d DeadLetter) Place() string { return fmt.Sprintf("%s/%d/%d", d.Topic, d.Partition, d.Offset) }

func deadLetter(rec *eventlog.Record, why error) DeadLetter {
	return DeadLetter{
		Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset,
		Reason: why.Error(), ParkedAt: time.Now().UTC(),
	}
}

var deadLetterPartition = eventlog.TopicPartition{Topic: eventlog.TopicDeadLetters}

// Park writes dead letters to their topic. After a crash an event may be parked again; DeadLetters lists it once.
func Park(ctx context.Context, client *eventlog.Client, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	recs := make([]*eventlog.Record, len(letters))
	for i, letter := range letters {
		value, err := json.Marshal(letter)
		if err != nil {
			return fmt.Errorf("encode the dead letter of %s: %w", letter.Place(), err)
		}
		recs[i] = &eventlog.Record{TopicPartition: deadLetterPartition, Key: []byte(letter.Place()), Value: value}
	}
	return client.Produce(ctx, recs)
}

// DeadLetters are the parked events that were not retried with success. The one that was parked first comes first.
func DeadLetters(ctx context.Context, client *eventlog.Client) ([]DeadLetter, error) {
	tps := []eventlog.TopicPartition{deadLetterPartition}
	from, err := client.StartOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	to, err := client.StableOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	var letters []DeadLetter
	places := map[string]int{}
	err = client.Read(ctx, from, to, func(rec *eventlog.Record) error {
		var letter DeadLetter
		if err := json.Unmarshal(rec.Value, &letter); err != nil {
			return fmt.Errorf("%s offset %d is no dead letter: %w", rec.Topic, rec.Offset, err)
		}
		i, seen := places[letter.Place()]
		if !seen {
			places[letter.Place()] = len(letters)
			letters = append(letters, letter)
		} else {
			letters[i].Retried = letter.Retried
		}
		return nil
	})
	return slices.DeleteFunc(letters, func(l DeadLetter) bool { return l.Retried }), err
}

// Event reads the event of a dead letter from the log.
func (d DeadLetter) Event(ctx context.Context, client *eventlog.Client) (*eventlog.Record, error) {
	tp := eventlog.TopicPartition{Topic: d.Topic, Partition: d.Partition}
	var event *eventlog.Record
	from, to := eventlog.Offsets{tp: d.Offset}, eventlog.Offsets{tp: d.Offset + 1}
	err := client.Read(ctx, from, to, func(rec *eventlog.Record) error {
		found := *rec
		event = &found
		return nil
	})
	if err == nil && event == nil {
		err = fmt.Errorf("the log has no event at %s", d.Place())
	}
	return event, err
}

// Retry mirrors the event of a dead letter. After an upgrade this program may know its schema. The rows get the same
// keys as if the event had been mirrored at first. Sales of its order are made again: those of later events depend on
// it.
//
// A rebuild may swap the mirror meanwhile, and its program may not know the schema. So the letter is settled before it
// is known whether the mirror is still the same, and the rows are written again into one that is not. A swap that is
// not over by then finds the letter settled, and parks it again if the new mirror has no rows of it (rebuild.finish).
func Retry(ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn, letter DeadLetter) error {
	return retry(ctx, client, conn, letter, func(retried DeadLetter) error {
		return Park(ctx, client, []DeadLetter{retried})
	})
}

func retry(
	ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn, letter DeadLetter, park func(DeadLetter) error,
) error {
	event, err := letter.Event(ctx, client)
	if err != nil {
		return err
	}
	letter.Retried = true
	for {
		mirror, err := mirrorID(ctx, conn)
		if err != nil {
			return err
		}
		if err := mirrorLate(ctx, conn, mirror, event, letter); err != nil {
			return err
		}
		if err := park(letter); err != nil {
			return err
		}
		if now, err := mirrorID(ctx, conn); err != nil || now == mirror {
			return err
		}
	}
}

// mirrorLate writes the rows of an event after those of later ones.
func mirrorLate(
	ctx context.Context, conn *clickhouse.Conn, mirror uuid.UUID, event *eventlog.Record, letter DeadLetter,
) error {
	var r rows
	if err := r.add(event); err != nil {
		return fmt.Errorf("%s still cannot be mirrored: %w", letter.Place(), err)
	}
	for _, in := range r.inserts() {
		if err := conn.Insert(ctx, in.table, in.columns); err != nil {
			return err
		}
	}
	if len(r.orders.typ) > 0 && slices.Contains(saleTypes, r.orders.typ[0]) {
		if err := refoldSales(ctx, conn, r.orders.orderID[0], event.Partition); err != nil {
			return fmt.Errorf("sales of the order of %s: %w", letter.Place(), err)
		}
	}
	return noteRepair(ctx, conn, mirror, event)
}

// noteRepair records that rows of an event were written after rows of later ones.
func noteRepair(ctx context.Context, conn *clickhouse.Conn, mirror uuid.UUID, event *eventlog.Record) error {
	at := time.Now().UTC()
	return conn.Insert(ctx, tableRepairs, []clickhouse.Column{
		columnOf("mirror_id", &[]uuid.UUID{mirror}).Column,
		columnOf("topic", &[]string{event.Topic}).Column,
		columnOf("partition", &[]int32{event.Partition}).Column,
		columnOf("offset", &[]int64{event.Offset}).Column,
		columnOf("repaired_at", &[]time.Time{at}).Column,
	})
}

// Repairs is how often rows of a mirror were written after rows of later events of their partition. When it has grown,
// what was computed from the tables before may be different now.
func Repairs(ctx context.Context, conn *clickhouse.Conn, mirror uuid.UUID) (n uint64, err error) {
	params := clickhouse.Parameters{"mirror": mirror.String()}
	err = conn.Each(ctx, "SELECT count() FROM "+tableRepairs+" FINAL WHERE mirror_id = {mirror:UUID}", nil, params,
		func(rows clickhouse.Rows) error { return rows.Scan(&n) })
	return n, err
}
