package backup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backup"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

var update = flag.Bool("update", false, "write the golden archive again")

const golden = "testdata/format1.hflog"

// written is a record without its offset, which another log has elsewhere.
type written struct {
	Key, Value string
	Headers    []eventlog.Header
	At         int64
}

// source is a platform with transactions in two generations, an aborted one, a quarantined record, and decisions.
func source(t *testing.T) *logtest.Log {
	t.Helper()
	log := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	commit(t, log, 0, 0, 30)
	layout, err := log.Client.ChangeLayout(log.Ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	log.Layout = layout
	commit(t, log, 0, 100, 20)
	tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 2}
	foreign := log.Write(tp.Topic, tp.Partition, "foreign", []byte("not an event")).Offsets()[tp] - 1
	raw, err := log.Client.RawRecord(log.Ctx, tp, foreign)
	if err != nil {
		t.Fatal(err)
	}
	err = log.Client.Quarantine(log.Ctx, eventlog.Quarantine{
		Topic: tp.Topic, Partition: tp.Partition, Offset: foreign, SHA256: raw.Hash(), Reason: "a test", By: "me",
	})
	if err != nil {
		t.Fatal(err)
	}
	ends, err := log.Client.StableOffsets(log.Ctx, log.Layout.AllPartitions())
	if err != nil {
		t.Fatal(err)
	}
	decision := fmt.Sprintf(`{"id":"d1","type":"replay_created","new_member":{"x":1},`+
		`"created":{"definition":"d","pinned":%q}}`,
		eventlog.PositionOf(ends).String())
	log.Write(eventlog.TopicInsights, 0, "", []byte(decision))
	log.Write(eventlog.TopicCatalog, 0, "berlin", []byte("a change"))
	commit(t, log, 1, 200, 25)
	return log
}

// commit writes transactions of a few records into the partitions of a shard.
func commit(t *testing.T, log *logtest.Log, shard int32, first, transactions int) {
	t.Helper()
	w, err := eventlog.OpenWriter(log.Ctx, log.Client, log.Layout, shard)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	partitions := log.Layout.Partitions(shard)
	for i := range transactions {
		var recs []*eventlog.Record
		for j := range 1 + i%len(partitions) {
			name := fmt.Sprintf("%d-%d", first+i, j)
			recs = append(recs, &eventlog.Record{
				TopicPartition: partitions[(i+j)%len(partitions)], Key: []byte("key-" + name),
				Value:           bytes.Repeat([]byte(name), 20),
				Headers:         []eventlog.Header{{Key: "ce_type", Value: []byte("t")}, {Key: "ce_none", Value: nil}},
				TimestampMicros: time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC).UnixMicro(),
			})
		}
		if err := w.Commit(recs); err != nil {
			t.Fatal(err)
		}
	}
}

// all reads all committed records of the event topics.
func all(t *testing.T, c *eventlog.Client, layout eventlog.Layout) map[eventlog.TopicPartition][]written {
	t.Helper()
	ends, err := c.StableOffsets(t.Context(), layout.AllPartitions())
	if err != nil {
		t.Fatal(err)
	}
	records := map[eventlog.TopicPartition][]written{}
	err = c.Read(t.Context(), nil, ends, func(r *eventlog.Record) error {
		records[r.TopicPartition] = append(records[r.TopicPartition],
			written{string(r.Key), string(r.Value), r.Headers, r.TimestampMicros})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func export(t *testing.T, log *logtest.Log) (string, *backup.Exported) {
	t.Helper()
	exported, err := backup.ExportFile(log.Ctx, backup.ExportConfig{Client: log.Client, Program: "test"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return exported.Path, exported
}

// empty is a client of a platform that does not exist yet.
func empty(t *testing.T) *eventlog.Client {
	t.Helper()
	c, err := eventlog.Open(logtest.Config(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func restore(ctx context.Context, c *eventlog.Client, path string) (*backup.Imported, error) {
	return backup.ImportFile(ctx, backup.ImportConfig{Client: c, By: "a test"}, path)
}

// sameLog compares two logs, and what refers to their offsets.
func sameLog(t *testing.T, log *logtest.Log, c *eventlog.Client) {
	t.Helper()
	want, got := all(t, log.Client, log.Layout), all(t, c, log.Layout)
	for _, tp := range log.Layout.AllPartitions() {
		if !slices.EqualFunc(want[tp], got[tp], func(a, b written) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("%s/%d: %d records, and %d after the import", tp.Topic, tp.Partition, len(want[tp]), len(got[tp]))
		}
	}
	history, err := c.LayoutHistory(t.Context())
	if had, herr := log.Client.LayoutHistory(t.Context()); err != nil || herr != nil || !slices.Equal(had, history) {
		t.Errorf("the layouts are %+v, and were %+v: %v, %v", history, had, err, herr)
	}
	catalogued(t, c)
	quarantined(t, c, 2)
	decisions, err := c.ReadDecisions(t.Context())
	if err != nil || len(decisions) != 1 {
		t.Fatalf("%d decisions: %v", len(decisions), err)
	}
	var d struct {
		NewMember json.RawMessage `json:"new_member"`
		Created   struct{ Definition, Pinned string }
	}
	if err := json.Unmarshal(decisions[0], &d); err != nil || string(d.NewMember) != `{"x":1}` ||
		d.Created.Definition != "d" {
		t.Errorf("the decision is %s: %v", decisions[0], err)
	}
	former, err := log.Client.ReadDecisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var had struct{ Created struct{ Pinned string } }
	if err := json.Unmarshal(former[0], &had); err != nil {
		t.Fatal(err)
	}
	before, after := countBelow(t, log.Client, had.Created.Pinned), countBelow(t, c, d.Created.Pinned)
	if before != after {
		t.Errorf("%d records lie before the pinned position, and did before: %d", after, before)
	}
}

// countBelow counts the records before a position.
func countBelow(t *testing.T, c *eventlog.Client, text string) (n int) {
	t.Helper()
	position, err := eventlog.ParsePosition(text)
	if err != nil {
		t.Fatal(err)
	}
	err = c.ReadAll(t.Context(), nil, position.Offsets(), func(*eventlog.Record) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// catalogued expects the catalogue of the source.
func catalogued(t *testing.T, c *eventlog.Client) {
	t.Helper()
	changes, err := c.ReadCatalog(t.Context())
	if err != nil || len(changes) != 1 || changes[0].Key != "berlin" || string(changes[0].Value) != "a change" {
		t.Errorf("the catalogue: %+v, %v", changes, err)
	}
}

// quarantined expects one decision, about the foreign record wherever it is.
func quarantined(t *testing.T, c *eventlog.Client, partition int32) {
	t.Helper()
	decisions, err := c.Quarantines(t.Context())
	if err != nil || len(decisions) != 1 {
		t.Fatalf("%d quarantined records: %v", len(decisions), err)
	}
	q := decisions[0]
	raw, err := c.RawRecord(t.Context(), eventlog.TopicPartition{Topic: q.Topic, Partition: partition}, q.Offset)
	if err != nil || raw.Quarantined == nil || string(raw.Key) != "foreign" {
		t.Errorf("the record at the quarantined place is %+v: %v", raw, err)
	}
}

func TestAnArchiveRestoresTheLog(t *testing.T) {
	log := source(t)
	path, exported := export(t, log)
	if exported.Footer.Records == 0 || exported.Header.Layout() != log.Layout {
		t.Fatalf("%+v", exported)
	}
	c := empty(t)
	imported, err := restore(log.Ctx, c, path)
	if err != nil {
		t.Fatal(err)
	}
	sameLog(t, log, c)
	id, err := c.Identity(log.Ctx)
	if err != nil || id.Incarnation == "" || id.Incarnation != imported.Incarnation || id.Env != c.Config().Env {
		t.Errorf("%+v, %v; imported %+v", id, err, imported)
	}
	if l, err := c.EnsurePlatform(log.Ctx, eventlog.Layout{PartitionCount: 1, ShardCount: 1}); err != nil ||
		l != log.Layout {
		t.Errorf("a service finds %+v: %v", l, err)
	}
	var notEmpty *eventlog.NotEmptyError
	if _, err := restore(log.Ctx, c, path); !errors.As(err, &notEmpty) {
		t.Errorf("a second import: %v", err)
	}
	again, err := backup.ExportFile(log.Ctx, backup.ExportConfig{Client: c}, t.TempDir())
	if err != nil || again.Footer.Records != exported.Footer.Records || again.Header.Incarnation != id.Incarnation {
		t.Errorf("an export of what was restored: %+v, %v", again, err)
	}
}

// An export that was ended goes on where it was, to the ends that it had pinned.
func TestAnExportGoesOn(t *testing.T) {
	log := source(t)
	whole, exported := export(t, log)
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{0, 5, 40, len(text) - 300, len(text) - 3} {
		dir := t.TempDir()
		partial := filepath.Join(dir, "a"+backup.Suffix+backup.PartialSuffix)
		if err := os.WriteFile(partial, text[:left], 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := backup.ExportFile(log.Ctx, backup.ExportConfig{Client: log.Client}, dir)
		if err != nil {
			t.Fatalf("%d bytes: %v", left, err)
		}
		if got.Footer.Records != exported.Footer.Records {
			t.Errorf("%d bytes: %+v", left, got.Footer)
		}
		file, err := os.Open(got.Path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := backup.Check(file); err != nil {
			t.Errorf("%d bytes: %v", left, err)
		}
		_ = file.Close()
	}
	if _, err := backup.ExportFile(log.Ctx, backup.ExportConfig{Client: log.Client}, whole); err == nil ||
		!strings.Contains(err.Error(), "never written over another one") {
		t.Errorf("over another archive: %v", err)
	}
	other := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	dir := t.TempDir()
	partial := filepath.Join(dir, "a"+backup.Suffix+backup.PartialSuffix)
	if err := os.WriteFile(partial, text[:len(text)-300], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.ExportFile(log.Ctx, backup.ExportConfig{Client: other.Client}, dir); err == nil ||
		!strings.Contains(err.Error(), "is of another platform") {
		t.Errorf("of another platform: %v", err)
	}
}

// Whatever is changed in an archive, or missing, is noticed before anything is written.
func TestADamagedArchiveWritesNothing(t *testing.T) {
	log := source(t)
	path, _ := export(t, log)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := empty(t)
	try := func(what string, bytes []byte, want string) {
		t.Helper()
		damaged := filepath.Join(t.TempDir(), "damaged"+backup.Suffix)
		if err := os.WriteFile(damaged, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(log.Ctx, c, damaged); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	for _, left := range []int{0, 7, 13, 20, 500, len(text) - 100, len(text) - 1} {
		try(fmt.Sprintf("the first %d bytes", left), text[:left], "it is cut off")
	}
	for i := 0; i < len(text); i += max(1, len(text)/97) {
		altered := slices.Clone(text)
		altered[i] ^= 0x40
		try(fmt.Sprintf("byte %d", i), altered, "othing was written")
	}
	try("more behind", append(slices.Clone(text), 0), "something comes behind its end")
	try("another file", []byte(strings.Repeat("{}\n", 100)), "no archive of holdfast log export")
	newer := slices.Clone(text)
	newer[13] = 99
	try("a newer format", newer, "has format 99, and this program reads formats up to 1")
	if _, err := c.Identity(log.Ctx); !errors.Is(err, eventlog.ErrNoLayout) {
		t.Errorf("the platform exists: %v", err)
	}
	if _, err := restore(log.Ctx, c, path+".none"); err == nil || !strings.Contains(err.Error(), "open the archive") {
		t.Errorf("no file: %v", err)
	}
}

// A platform that has data, another layout or running replicas is refused, and stays as it is.
func TestPlatformsThatCannotBeRestoredTo(t *testing.T) {
	log := source(t)
	path, _ := export(t, log)
	for want, prepare := range map[string]func(*logtest.Log){
		"has 1 offsets already": func(l *logtest.Log) { l.Write(eventlog.TopicInventory, 1, "k", []byte("v")) },
		"is imported into the same layout": func(l *logtest.Log) {
			if _, err := l.Client.ChangeLayout(l.Ctx, 3); err != nil {
				t.Fatal(err)
			}
		},
		"1 replicas of order-api run": func(l *logtest.Log) {
			o, err := eventlog.JoinOwnership(l.Config, eventlog.OwnershipOptions{Replica: "one"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = o.Close(context.Background()) })
			<-o.Events()
		},
	} {
		target := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 1})
		prepare(target)
		if _, err := restore(log.Ctx, target.Client, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := target.Client.EnsurePlatform(log.Ctx, eventlog.Layout{PartitionCount: 4, ShardCount: 1}); err != nil {
			t.Errorf("%s: the platform cannot be used any more: %v", want, err)
		}
	}
	same := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 1}) // as the archive's was at first
	if _, err := restore(log.Ctx, same.Client, path); err != nil {
		t.Fatal(err)
	}
	sameLog(t, log, same.Client)
}

// An import that is ended between any two of its transactions goes on, and writes each record once. Services are
// refused meanwhile, and so is another archive.
func TestAnImportGoesOn(t *testing.T) {
	log := source(t)
	exported, err := backup.ExportFile(log.Ctx, backup.InChunksOf(20, backup.ExportConfig{Client: log.Client}),
		t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := exported.Path
	c := empty(t)
	header := headerOf(t, path)
	r, err := c.BeginRestore(log.Ctx, header.ID, header.Layouts, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	r.Close() // killed
	var underWay *eventlog.RestoreUnderWayError
	if _, err := c.EnsurePlatform(log.Ctx, log.Layout); !errors.As(err, &underWay) ||
		!strings.Contains(err.Error(), "run the same holdfast log import again") {
		t.Errorf("a service that starts: %v", err)
	}
	if _, err := c.BeginRestore(log.Ctx, uuid.New(), header.Layouts, "other"); !errors.As(err, &underWay) {
		t.Errorf("another archive: %v", err)
	}
	ended := 0
	for done := int64(0); ; ended++ { // after each transaction
		ctx, cancel := context.WithCancel(log.Ctx)
		_, err := backup.ImportFile(ctx, backup.ImportConfig{Client: c, By: "a test", Observe: func(records, total int64) {
			if records <= done {
				t.Errorf("%d records after %d", records, done)
			}
			if done = records; records < total {
				cancel()
			}
		}}, path)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if ended < 5 {
		t.Errorf("the import was ended %d times", ended)
	}
	id, err := c.Identity(log.Ctx)
	if err != nil || id.Incarnation != underWay.State.Incarnation {
		t.Fatalf("%+v, %v", id, err)
	}
	sameLog(t, log, c)
}

func headerOf(t *testing.T, path string) *backup.Header {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	header, _, err := backup.Check(file)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

// Archives of format 1 stay readable.
func TestTheGoldenArchiveIsRead(t *testing.T) {
	if *update {
		path, _ := export(t, source(t))
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(golden, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := empty(t)
	imported, err := restore(logtest.Context(t), c, golden)
	if err != nil {
		t.Fatal(err)
	}
	layout := eventlog.Layout{Generation: 2, PartitionCount: 4, ShardCount: 2}
	var lines []string
	for tp, records := range all(t, c, layout) {
		for _, r := range records {
			lines = append(lines, fmt.Sprintf("%s/%d %s %.12s %v %d", tp.Topic, tp.Partition, r.Key, r.Value, r.Headers, r.At))
		}
	}
	slices.Sort(lines)
	if got, want := len(lines), 240; int64(got) != imported.Footer.Records-1 || got != want { // one is quarantined
		t.Errorf("%d records, %d in the archive, want %d\n%s", got, imported.Footer.Records, want, lines[0])
	}
	want := "inventory.events/0 key-1-0 1-01-01-01-0 [{ce_type [116]} {ce_none []}] 1767323041000000"
	if !slices.Contains(lines, want) {
		t.Errorf("%q is missing; there are\n%s", want, strings.Join(lines[:3], "\n"))
	}
	quarantined(t, c, 2)
}
