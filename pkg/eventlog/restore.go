package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// RestoreState is how far the import of an archive is. Each transaction of an import has it, so that one that was ended
// goes on exactly where it was.
type RestoreState struct {
	Archive     uuid.UUID   `json:"archive"`
	Incarnation Incarnation `json:"incarnation"`
	By          string      `json:"by"`
	At          time.Time   `json:"at"`
	// Chunks of the archive are in the log.
	Chunks int `json:"chunks"`
	// Records are in the log, and Position has the ends of their partitions.
	Records  int64  `json:"records"`
	Position string `json:"position"`
	// Places are offsets of the archive's log that something refers to, and what they are in this one.
	Places []Place `json:"places,omitempty"`
	// Done: the platform can be used.
	Done bool `json:"done,omitempty"`
}

// Place is an exclusive end in the log that an archive is of, and in the one that it was restored to.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Old       int64  `json:"old"`
	New       int64  `json:"new"`
}

var restoreTP = TopicPartition{Topic: TopicRestore}

// RestoreUnderWayError means that an import into the platform has begun and has not ended.
type RestoreUnderWayError struct{ State RestoreState }

// Error says what to do.
func (e *RestoreUnderWayError) Error() string {
	return fmt.Sprintf("an archive is being imported into this platform: %s began at %s, %d records so far. Wait "+
		"until that has ended; if it was ended, run the same holdfast log import again, which goes on where it was",
		e.State.By, e.State.At.UTC().Format(time.RFC3339), e.State.Records)
}

// NotEmptyError refuses an import into a platform that has data.
type NotEmptyError struct {
	Topic   string
	Offsets int64
}

// Error says what to do.
func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("the topic %s has %d offsets already: an archive is imported into a platform without data alone. "+
		"Nothing was written. Name other topics with --topic-prefix and --env, or delete this platform's topics",
		e.Topic, e.Offsets)
}

// restoreState reads how far an import is; nil: there was none.
func (c *Client) restoreState(ctx context.Context) (*RestoreState, error) {
	count, err := c.partitionCount(ctx, TopicRestore)
	if err != nil || count == 0 {
		return nil, err
	}
	end, err := c.EndOffsets(ctx, []TopicPartition{restoreTP})
	if err != nil {
		return nil, err
	}
	// One record is enough: the last transaction is among the last few offsets, where markers are too.
	const look = 64
	from := Offsets{restoreTP: max(0, end[restoreTP]-look)}
	var state *RestoreState
	read := func(r *Record) error {
		var s RestoreState
		if err := json.Unmarshal(r.Value, &s); err != nil {
			return fmt.Errorf("%s: offset %d says not how far an import is: %w", TopicRestore, r.Offset, err)
		}
		state = &s
		return nil
	}
	if err := c.Read(ctx, from, end, read); err != nil || state != nil || from[restoreTP] == 0 {
		return state, err
	}
	return state, c.Read(ctx, nil, end, read) // many attempts were aborted
}

// checkRestored refuses to use a platform that is being restored.
func (c *Client) checkRestored(ctx context.Context) error {
	state, err := c.restoreState(ctx)
	if err == nil && state != nil && !state.Done {
		err = &RestoreUnderWayError{*state}
	}
	return err
}

// Restorer writes an archive into a platform. There is one at a time: the broker refuses the others.
type Restorer struct {
	client   *Client
	producer *transactional
	layouts  []Layout
	had      int // layouts that the platform has already
	State    RestoreState
}

// BeginRestore begins to restore a platform, or goes on. It refuses one that has data, that has other layouts than
// the archive, or that is in use, before it writes anything.
func (c *Client) BeginRestore(
	ctx context.Context, archive uuid.UUID, layouts []Layout, by string,
) (_ *Restorer, err error) {
	r := &Restorer{client: c, layouts: layouts}
	if _, err := r.check(ctx, archive); err != nil {
		return nil, err
	}
	for _, topic := range []string{TopicRestore, TopicLayout} {
		if _, err := c.createTopic(ctx, topic, 1, keepForEver(c.cfg.Embedded)); err != nil {
			return nil, err
		}
	}
	if err := c.ensureTopics(ctx, layouts[len(layouts)-1]); err != nil {
		return nil, err
	}
	id := c.cfg.clusterTopic(TopicRestore) + "-import"
	if r.producer, err = c.cfg.newTransactional(id, ""); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if _, _, err := r.producer.ProducerID(ctx); err != nil {
		return nil, initFailed(id, err)
	}
	// Only now is nobody else writing: another import may have written since.
	state, err := r.check(ctx, archive)
	if err != nil {
		return nil, err
	}
	if state != nil {
		r.State = *state
		return r, c.checkResumed(ctx, state, layouts[len(layouts)-1])
	}
	run := uuid.New()
	r.State = RestoreState{
		Archive: archive, Incarnation: Incarnation(fmt.Sprintf("%x", run[:4])), By: by, At: time.Now().UTC(),
	}
	return r, r.commit(ctx, nil)
}

// checkResumed compares the log with what the import says that it has. They are always the same on Apache Kafka. An
// embedded broker that was killed may have lost a part of the last transaction.
func (c *Client) checkResumed(ctx context.Context, state *RestoreState, layout Layout) error {
	position, err := ParsePosition(state.Position)
	if err != nil {
		return err
	}
	torn := func(tp TopicPartition) error {
		return fmt.Errorf("the broker has lost a part of the import: %s/%d does not end as the import says. An embedded "+
			"broker "+
			"that was killed may do so: delete its folder, and import the archive again", tp.Topic, tp.Partition)
	}
	ends, err := c.StableOffsets(ctx, layout.AllPartitions())
	if err != nil {
		return err
	}
	from := Offsets{}
	for tp, end := range ends {
		if from[tp] = position.End(tp); from[tp] > end {
			return torn(tp)
		}
	}
	return c.ReadAll(ctx, from, ends, func(r *Record) error { return torn(r.TopicPartition) })
}

// check refuses what cannot be restored to. The state is that of an import that goes on; nil: none has begun.
func (r *Restorer) check(ctx context.Context, archive uuid.UUID) (*RestoreState, error) {
	c := r.client
	state, err := c.restoreState(ctx)
	if err != nil {
		return nil, err
	}
	if state != nil && !state.Done && state.Archive != archive {
		return nil, fmt.Errorf("%w. It is another archive: %s", &RestoreUnderWayError{*state}, state.Archive)
	}
	if err := r.checkLayouts(ctx); err != nil {
		return nil, err
	}
	if state != nil && !state.Done {
		return state, nil
	}
	return nil, c.checkNoData(ctx, r.layouts[len(r.layouts)-1])
}

// checkLayouts compares the platform, if there is one, with the archive's.
func (r *Restorer) checkLayouts(ctx context.Context) error {
	c := r.client
	id, err := c.Identity(ctx)
	if errors.Is(err, ErrNoLayout) {
		for _, topic := range []string{TopicOrders, TopicInventory} {
			have, err := c.partitionCount(ctx, topic)
			if want := r.layouts[0].PartitionCount; err != nil || have != 0 && have != want {
				return errors.Join(err, otherLayout(fmt.Sprintf("%d partitions in %s", have, c.cfg.clusterTopic(topic)), r.layouts))
			}
		}
		return c.checkEnvUnused(ctx)
	}
	if err != nil {
		return err
	}
	if err := c.checkEnv(id.Env); err != nil {
		return err
	}
	last := id.Layouts[len(id.Layouts)-1]
	if len(id.Layouts) > len(r.layouts) || !slices.Equal(id.Layouts, r.layouts[:len(id.Layouts)]) {
		return otherLayout(fmt.Sprintf("%d partitions and %d shards in generation %d",
			last.PartitionCount, last.ShardCount, last.Generation), r.layouts)
	}
	replicas, err := c.Replicas(ctx, last.Generation)
	if err == nil && len(replicas) > 0 {
		err = fmt.Errorf("%d replicas of order-api run on this platform, such as the one at %s: stop all services while an "+
			"archive is imported. Nothing was written", len(replicas), replicas[0].Host)
	}
	r.had = len(id.Layouts)
	return err
}

func otherLayout(has string, layouts []Layout) error {
	want := layouts[len(layouts)-1]
	return fmt.Errorf("the platform has %s, and the archive is of one with %d partitions and %d shards in generation %d: "+
		"an archive is imported into the same layout. Nothing was written. Name topics that do not exist yet with "+
		"--topic-prefix and --env: they get the archive's layout", has, want.PartitionCount, want.ShardCount, want.Generation)
}

// checkNoData is a *NotEmptyError when a topic that an archive restores has something.
func (c *Client) checkNoData(ctx context.Context, layout Layout) error {
	tps := append(layout.AllPartitions(), TopicPartition{Topic: TopicQuarantine}, TopicPartition{Topic: TopicInsights},
		catalogTP)
	var there []TopicPartition
	for _, tp := range tps {
		if tp.Partition > 0 && len(there) > 0 && there[len(there)-1].Topic == tp.Topic {
			there = append(there, tp)
			continue
		}
		count, err := c.partitionCount(ctx, tp.Topic)
		if err != nil {
			return err
		}
		if count > tp.Partition {
			there = append(there, tp)
		}
	}
	ends, err := c.EndOffsets(ctx, there)
	if err != nil {
		return err
	}
	for _, tp := range there {
		if ends[tp] > 0 {
			return &NotEmptyError{c.cfg.clusterTopic(tp.Topic), ends[tp]}
		}
	}
	return nil
}

// Write appends records in one transaction, and sets their offsets. note is told of them before the transaction is
// committed, and changes State, which is in the same transaction. After an error nothing more can be written: whether
// the transaction is in the log, the next import finds out.
func (r *Restorer) Write(ctx context.Context, recs []*Record, note func(*RestoreState)) error {
	if err := r.begin(ctx, recs); err != nil {
		return err
	}
	note(&r.State)
	return r.end()
}

// Finish writes the decisions, the catalogue and the layouts: from then on the platform can be used.
func (r *Restorer) Finish(
	ctx context.Context, quarantines []Quarantine, decisions [][]byte, catalog []CatalogRecord,
) error {
	var last []*Record
	for _, change := range catalog {
		last = append(last, &Record{TopicPartition: catalogTP, Key: []byte(change.Key), Value: change.Value})
	}
	for _, q := range quarantines {
		value, err := json.Marshal(q)
		if err != nil {
			return err
		}
		last = append(last, &Record{TopicPartition: quarantineTP, Value: value})
	}
	for _, value := range decisions {
		last = append(last, &Record{TopicPartition: TopicPartition{Topic: TopicInsights}, Value: value})
	}
	for _, l := range r.layouts[min(r.had, len(r.layouts)-1):] { // the newest once more, with the incarnation
		value, err := json.Marshal(layoutRecord{Layout: l, Env: r.client.cfg.Env, Incarnation: r.State.Incarnation})
		if err != nil {
			return err
		}
		key := []byte(strconv.FormatUint(uint64(l.Generation), 10))
		last = append(last, &Record{TopicPartition: layoutTP, Key: key, Value: value})
	}
	r.State.Done = true
	return r.commit(ctx, last)
}

// commit appends records with the state in one transaction.
func (r *Restorer) commit(ctx context.Context, recs []*Record) error {
	if err := r.begin(ctx, recs); err != nil {
		return err
	}
	return r.end()
}

// begin begins a transaction, and appends records.
func (r *Restorer) begin(ctx context.Context, recs []*Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.producer.BeginTransaction(); err != nil {
		return restoreFailed(err)
	}
	return r.produce(recs)
}

func (r *Restorer) produce(recs []*Record) error {
	cfg := &r.client.cfg
	out := make([]*kgo.Record, len(recs))
	for i, rec := range recs {
		out[i] = &kgo.Record{
			Topic: cfg.clusterTopic(rec.Topic), Partition: rec.Partition, Key: rec.Key, Value: rec.Value,
			Timestamp: rec.timestamp(), Headers: toClientHeaders(nil, rec.Headers),
		}
	}
	// Without cancellation: a transaction that has begun must be brought to its end.
	if err := r.producer.ProduceSync(context.Background(), out...).FirstErr(); err != nil {
		return restoreFailed(err)
	}
	for i, rec := range recs {
		rec.Offset = out[i].Offset
	}
	return nil
}

// end appends the state, and commits.
func (r *Restorer) end() error {
	value, err := json.Marshal(r.State)
	if err != nil {
		return err
	}
	if err := r.produce([]*Record{{TopicPartition: restoreTP, Value: value}}); err != nil {
		return err
	}
	if err := r.producer.commit(context.Background()); err != nil {
		return restoreFailed(err)
	}
	return nil
}

func restoreFailed(err error) error {
	if isFenced(err) || errors.Is(err, kerr.UnknownProducerID) {
		return fmt.Errorf("another import into this platform has begun, or the broker ended a transaction that took too "+
			"long; run the import again, and only once at a time: %w", err)
	}
	return fmt.Errorf("the brokers did not take a part of the archive; run the import again, which goes on where it "+
		"was: %w",
		err)
}

// Close ends the import, wherever it is.
func (r *Restorer) Close() {
	if r.producer != nil {
		r.producer.Close()
	}
}

// ReadAll is Read with the quarantined records, for copies of the log.
func (c *Client) ReadAll(ctx context.Context, from, to Offsets, fn func(*Record) error) error {
	return c.read(ctx, from, to, readerOptions{quarantined: true}, fn)
}

// ReadDecisions reads the decisions about insights, as they are in the log.
func (c *Client) ReadDecisions(ctx context.Context) (all []json.RawMessage, err error) {
	err = c.readWhole(ctx, TopicPartition{Topic: TopicInsights}, func(r *Record) {
		if json.Valid(r.Value) { // readers pass over what is no decision
			all = append(all, r.Value)
		}
	})
	return all, err
}

// CatalogRecord is a record of catalog.events.
type CatalogRecord struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

var catalogTP = TopicPartition{Topic: TopicCatalog}

// ReadCatalog reads the catalogue, as it is in the log.
func (c *Client) ReadCatalog(ctx context.Context) (all []CatalogRecord, err error) {
	err = c.readWhole(ctx, catalogTP, func(r *Record) {
		all = append(all, CatalogRecord{string(r.Key), bytes.Clone(r.Value)})
	})
	return all, err
}

// readWhole calls fn with all committed records of a topic of one partition; a platform of before need not have it.
func (c *Client) readWhole(ctx context.Context, tp TopicPartition, fn func(*Record)) error {
	count, err := c.partitionCount(ctx, tp.Topic)
	if err != nil || count == 0 {
		return err
	}
	to, err := c.StableOffsets(ctx, []TopicPartition{tp})
	if err != nil {
		return err
	}
	return c.Read(ctx, nil, to, func(r *Record) error {
		fn(r)
		return nil
	})
}
