package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

const (
	// shadowSuffix names the database of the shadow: that of holdfast is holdfast_rebuild.
	shadowSuffix = "rebuild"
	// tableSwapping is in the shadow's database from the beginning of the swap on. Whoever creates it may swap. The
	// tables of such a database are partly those of the former mirror, so it is never filled again.
	tableSwapping = "swapping"
	// tableUndecoded has the events that the shadow could not decode. They become dead letters with the swap.
	tableUndecoded = "undecoded"

	// restlessFor is how long progress must stand still before nobody is writing it. An idle projector writes it every
	// beatInterval, a busy one at least every longestFlushDelay.
	restlessFor = 5 * time.Second
	// progressPoll is how often a rebuild looks how far it is.
	progressPoll = 250 * time.Millisecond
	// lettersPerPark is how many dead letters are written together.
	lettersPerPark = 1_000
)

// createSwapping has the ID of the rebuild that swaps as its comment.
const createSwapping = "CREATE TABLE " + tableSwapping + " (at DateTime) ENGINE = MergeTree ORDER BY at COMMENT '%s'"

const swapperQuery = "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = '" +
	tableSwapping + "'"

const createUndecoded = "CREATE TABLE IF NOT EXISTS " + tableUndecoded + ` (
    topic String, partition Int32, offset Int64, reason String, parked_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset)
SETTINGS fsync_after_insert = 1
COMMENT 'Events that could not be decoded, and why'`

// ErrRebuilding is the error of a rebuild while another one is at work.
var ErrRebuilding = errors.New("another rebuild of this mirror is at work: wait for it, or stop it")

// errShadowLost ends a rebuild whose shadow somebody else has swapped or dropped.
var errShadowLost = errors.New("another rebuild has swapped or dropped the tables of this one: nothing is to be done")

// shadow is a mirror that is filled beside the one in use, to take its place. It has a database of its own, with the
// tables of this program.
type shadow struct {
	conn   *clickhouse.Conn
	mirror *Mirror
	// id is the UUID of its progress table, by which it is known from a shadow that somebody else has made since.
	id uuid.UUID
	// resumed is true when an earlier rebuild has filled a part of it.
	resumed bool

	// stop ends the filling; nil: it is not being filled.
	stop func()
}

// openShadow resumes the shadow of an earlier rebuild, or makes one. A shadow with other tables than this program's is
// dropped, and so is one that was being swapped.
func openShadow(ctx context.Context, cfg RebuildConfig) (*shadow, error) {
	conn, err := cfg.Conn.Sibling(shadowSuffix)
	if err != nil {
		return nil, err
	}
	s := &shadow{conn: conn}
	if err := s.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.mirror, err = New(Config{
		Client: cfg.Client, Layout: cfg.Layout, Conn: conn, FlushRows: cfg.FlushRows, Alone: true,
		YieldCPU: cfg.YieldCPU, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.mirror.shadow, s.mirror.park = s.id, s.keepUndecoded
	return s, nil
}

// prepare creates the tables, or finds them.
func (s *shadow) prepare(ctx context.Context, cfg RebuildConfig) error {
	found, err := s.conn.Tables(ctx)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		if s.resumed, err = s.resumable(ctx, cfg, found); err != nil {
			return err
		}
	}
	if !s.resumed {
		if err := s.conn.DropDatabase(ctx); err != nil {
			return err
		}
	}
	if err := migrate(ctx, s.conn, cfg.Logger); err != nil {
		return err
	}
	if err := s.conn.Exec(ctx, createUndecoded, nil, nil); err != nil {
		return err
	}
	s.id, err = mirrorID(ctx, s.conn)
	return err
}

// resumable reports whether a shadow that was found can be filled further. It is ErrRebuilding while somebody fills or
// swaps it.
func (s *shadow) resumable(
	ctx context.Context, cfg RebuildConfig, found map[string][]clickhouse.TableColumn,
) (bool, error) {
	if _, swapping := found[tableSwapping]; swapping {
		return false, s.awaitSwap(ctx, cfg.Fence)
	}
	if _, begun := found[tableProgress]; !begun {
		return false, nil
	}
	moved, err := moves(ctx, s.conn, restlessFor)
	switch {
	case clickhouse.IsMissing(err): // it was swapped meanwhile
		return false, nil
	case err != nil:
		return false, err
	case moved:
		return false, ErrRebuilding
	case cfg.Anew:
		return false, nil
	}
	m, err := Migrations()
	if err != nil {
		return false, err
	}
	applied, err := s.conn.Applied(ctx, m)
	var other *clickhouse.SchemaError
	if errors.As(err, &other) || err == nil && applied < m.Count() {
		cfg.Logger.Info("the shadow of an earlier rebuild has other tables than this program: beginning anew")
		return false, nil
	}
	return err == nil, err
}

// awaitSwap waits until a swap that is under way must be over. It returns ErrRebuilding if it has ended by then, and
// nil if whoever did it was killed.
func (s *shadow) awaitSwap(ctx context.Context, fence time.Duration) error {
	var age float64
	err := s.conn.Each(ctx, "SELECT toFloat64(now() - metadata_modification_time) FROM system.tables "+
		"WHERE database = currentDatabase() AND name = '"+tableSwapping+"'", nil, nil,
		func(rows clickhouse.Rows) error { return rows.Scan(&age) })
	if err != nil && !clickhouse.IsMissing(err) {
		return err
	}
	left := fence - time.Duration(age*float64(time.Second))
	if left <= 0 {
		return nil
	}
	if err := backoff.Sleep(ctx, left); err != nil {
		return err
	}
	if found, err := s.conn.Tables(ctx); err != nil || len(found) > 0 {
		return err
	}
	return ErrRebuilding
}

// moves reports whether somebody writes the progress of a mirror: whether it changes within the time.
func moves(ctx context.Context, conn *clickhouse.Conn, within time.Duration) (bool, error) {
	before, err := loadProgress(ctx, conn)
	if err != nil {
		return false, err
	}
	for began := time.Now(); time.Since(began) < within; {
		if err := backoff.Sleep(ctx, progressPoll); err != nil {
			return false, err
		}
		now, err := loadProgress(ctx, conn)
		if err != nil || !now.equal(before) {
			return err == nil, err
		}
	}
	return false, nil
}

// equal reports whether two progresses are the same.
func (p *progress) equal(other *progress) bool {
	return p.mirror == other.mirror && maps.Equal(p.next, other.next) &&
		maps.EqualFunc(p.currentAt, other.currentAt, time.Time.Equal)
}

// fill fills the shadow in the background, until halt. When the shadow cannot be filled, failed is called with the
// reason.
func (s *shadow) fill(ctx context.Context, failed func(error)) {
	filling, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.mirror.runUntilFinal(filling, s.mirror.allPartitions()); err != nil {
			failed(err)
		}
	}()
	s.stop = func() { cancel(); <-done }
}

// halt ends the filling and waits for it.
func (s *shadow) halt() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// drop halts and drops the database.
func (s *shadow) drop(ctx context.Context) error {
	s.halt()
	return s.conn.DropDatabase(ctx)
}

// close halts and closes the connection. The tables stay, for a rebuild that resumes them.
func (s *shadow) close() {
	s.halt()
	s.conn.Close()
}

// keepUndecoded remembers events that cannot be decoded. The log is told with the swap alone: until then the mirror in
// use may have their rows.
func (s *shadow) keepUndecoded(ctx context.Context, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	var topics, reasons []string
	var partitions []int32
	var offsets []int64
	var times []time.Time
	for _, letter := range letters {
		topics, reasons = append(topics, letter.Topic), append(reasons, letter.Reason)
		partitions, offsets = append(partitions, letter.Partition), append(offsets, letter.Offset)
		times = append(times, letter.ParkedAt)
	}
	return s.conn.Insert(ctx, tableUndecoded, []clickhouse.Column{
		columnOf("topic", &topics).Column,
		columnOf("partition", &partitions).Column,
		columnOf("offset", &offsets).Column,
		columnOf("reason", &reasons).Column,
		columnOf("parked_at", &times).Column,
	})
}

// parkUndecoded makes dead letters of what could not be decoded and is no dead letter yet.
func (s *shadow) parkUndecoded(ctx context.Context, client *eventlog.Client) error {
	parked, err := DeadLetters(ctx, client)
	if err != nil {
		return err
	}
	places := map[string]bool{}
	for _, letter := range parked {
		places[letter.Place()] = true
	}
	var letters []DeadLetter
	err = s.conn.Each(ctx, "SELECT topic, partition, offset, reason, parked_at FROM "+tableUndecoded+
		" FINAL ORDER BY topic, partition, offset", nil, nil, func(rows clickhouse.Rows) error {
		var letter DeadLetter
		err := rows.Scan(&letter.Topic, &letter.Partition, &letter.Offset, &letter.Reason, &letter.ParkedAt)
		if !places[letter.Place()] {
			letters = append(letters, letter)
		}
		return err
	})
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(letters, lettersPerPark) {
		if err := Park(ctx, client, chunk); err != nil {
			return err
		}
	}
	return nil
}

// retireLetters ends the dead letters whose events have rows in the mirror by now, and returns how many these are.
func retireLetters(
	ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn, logger *slog.Logger,
) (int, error) {
	letters, err := DeadLetters(ctx, client)
	if err != nil {
		return 0, err
	}
	var mirrored []DeadLetter
	for _, letter := range letters {
		err := conn.Each(ctx, fmt.Sprintf("SELECT offset FROM %s WHERE topic = %s AND partition = %d AND offset = %d LIMIT 1",
			tableEvents, clickhouse.Literals(letter.Topic), letter.Partition, letter.Offset), nil, nil,
			func(rows clickhouse.Rows) error {
				letter.Retried = true
				return rows.Scan(&letter.Offset)
			})
		if err != nil {
			return 0, err
		}
		if letter.Retried {
			mirrored = append(mirrored, letter)
		}
	}
	for chunk := range slices.Chunk(mirrored, lettersPerPark) {
		if err := Park(ctx, client, chunk); err != nil {
			return 0, err
		}
	}
	if len(mirrored) > 0 {
		logger.Info("events that were dead letters are mirrored", "count", len(mirrored))
	}
	return len(mirrored), nil
}
