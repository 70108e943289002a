package devstack_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/devstack"
)

const (
	tornTopic      = "torn"
	tornPartitions = 2
	tornID         = "torn" // transactional id of the producer whose transaction stays open
	// With segments this small the broker begins a new file every few records. Each record has a key of paddingBytes.
	segmentBytes = 1 << 10
	paddingBytes = segmentBytes / 4
)

func tornClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(tornTopic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func makeTornTopic(t *testing.T, addr string) {
	t.Helper()
	size := strconv.Itoa(segmentBytes)
	_, err := kadm.NewClient(tornClient(t, addr)).CreateTopic(testContext(t), tornPartitions, 1,
		map[string]*string{"segment.bytes": &size}, tornTopic)
	if err != nil {
		t.Fatal(err)
	}
}

// begin opens a transaction with one record in each partition.
func begin(t *testing.T, addr, id, value string) *kgo.Client {
	t.Helper()
	client := tornClient(t, addr, kgo.TransactionalID(id))
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for p := range int32(tornPartitions) {
		rec := &kgo.Record{Partition: p, Key: make([]byte, paddingBytes), Value: []byte(value)}
		if err := client.ProduceSync(testContext(t), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

func commitOne(t *testing.T, addr, id, value string) {
	t.Helper()
	client := begin(t, addr, id, value)
	if err := client.EndTransaction(testContext(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	client.Close()
}

// contents of a partition: the committed values, and the number of aborted transactions.
type contents struct {
	committed []string
	aborts    int
}

// readAll reads both partitions to their ends with read-committed isolation. It would wait for ever at an open
// transaction.
func readAll(t *testing.T, addr string) [tornPartitions]contents {
	t.Helper()
	var got [tornPartitions]contents
	ends, err := kadm.NewClient(tornClient(t, addr)).ListEndOffsets(testContext(t), tornTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(tornPartitions) {
		client := tornClient(t, addr, kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{tornTopic: {p: kgo.NewOffset().AtStart()}}))
		end, _ := ends.Lookup(tornTopic, p)
		for reached := int64(0); reached < end.Offset; {
			fetches := client.PollFetches(testContext(t))
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			fetches.EachRecord(func(rec *kgo.Record) {
				reached = rec.Offset + 1
				switch {
				case !rec.Attrs.IsControl():
					got[p].committed = append(got[p].committed, string(rec.Value))
				case rec.Key[3] == 0: // the marker's type: 0 is an abort, 1 a commit
					got[p].aborts++
				}
			})
		}
		client.Close()
	}
	return got
}

// wantContents compares both partitions with the same expectation.
func wantContents(t *testing.T, addr string, aborts int, committed ...string) {
	t.Helper()
	for p, got := range readAll(t, addr) {
		if got.aborts != aborts || !slices.Equal(got.committed, committed) {
			t.Errorf("partition %d has %q and %d aborts, want %q and %d", p, got.committed, got.aborts, committed, aborts)
		}
	}
}

// killWhileOpen kills a broker and leaves a log with one open transaction, and committed ones after it that reach into
// other files. It returns the committed values.
func killWhileOpen(t *testing.T, dir string) (committed []string) {
	t.Helper()
	addr, kill := startKillable(t, dir)
	makeTornTopic(t, addr)
	commitOne(t, addr, "other", "first")
	begin(t, addr, tornID, "torn")
	committed = []string{"first"}
	for n := range 20 {
		value := fmt.Sprint(n)
		commitOne(t, addr, "other", value)
		committed = append(committed, value)
	}
	kill()
	if files := segments(t, dir, 0); len(files) < 3 {
		t.Fatalf("with %d files the test does not prove that all of them are read", len(files))
	}
	return committed
}

// segments lists a partition's files in the order of their offsets.
func segments(t *testing.T, dir string, partition int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "partitions", fmt.Sprintf("%s-%d", tornTopic, partition), "*.dat"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of partition %d: %v", partition, err)
	}
	slices.SortFunc(files, func(a, b string) int { return firstOffset(t, a) - firstOffset(t, b) })
	return files
}

func firstOffset(t *testing.T, file string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(file), ".dat"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cutLastBatch truncates a partition's last file so that only the first keep bytes of its last batch are left.
func cutLastBatch(t *testing.T, dir string, partition, keep int) {
	t.Helper()
	files := segments(t, dir, partition)
	last := files[len(files)-1]
	data, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	begin, next := 0, 0
	for next < len(data) {
		begin = next
		next += 12 + int(binary.BigEndian.Uint32(data[begin+8:])) // offset (8 bytes), length (4), then that many bytes
	}
	if err := os.Truncate(last, int64(begin+keep)); err != nil {
		t.Fatal(err)
	}
}

// zero overwrites a file with zeros.
func zero(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, info.Size()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestATornTransactionIsAbortedHoweverFarBack(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	committed := killWhileOpen(t, dir)
	addr, kill := startKillable(t, dir)
	wantContents(t, addr, 1, committed...)
	// The next commit of the same producer must not make the aborted records count as committed.
	commitOne(t, addr, tornID, "whole")
	committed = append(committed, "whole")
	kill()
	// No transaction is open now, so the next start writes no markers.
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantContents(t, kafka.Addrs()[0], 1, committed...)
}

func TestACrashWhileTornTransactionsAreAborted(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	committed := killWhileOpen(t, dir)
	_, kill := startKillable(t, dir)
	kill()
	// Remove one of the two abort markers, as if the second process had been killed between them.
	cutLastBatch(t, dir, 1, 0)
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantContents(t, kafka.Addrs()[0], 1, committed...)
}

func TestATransactionWhoseMarkerIsTorn(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	addr, kill := startKillable(t, dir)
	makeTornTopic(t, addr)
	commitOne(t, addr, "other", "first")
	commitOne(t, addr, tornID, "torn")
	kill()
	for p := range tornPartitions {
		cutLastBatch(t, dir, p, 20) // the commit marker is truncated
	}
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantContents(t, kafka.Addrs()[0], 1, "first")
}

func TestALogThatLostItsEndInAPowerCut(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	committed := killWhileOpen(t, dir)
	for p := range tornPartitions {
		// The newest file has its size, but its content has not reached the disk and reads as zeros.
		files := segments(t, dir, p)
		zero(t, files[len(files)-1])
	}
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	for p, got := range readAll(t, kafka.Addrs()[0]) {
		n := len(got.committed)
		if n == 0 || n >= len(committed) || !slices.Equal(got.committed, committed[:n]) || got.aborts == 0 {
			t.Errorf("partition %d has %q and %d aborts, want a beginning of %q", p, got.committed, got.aborts, committed)
		}
	}
}

func TestFilesThatAreNoSegments(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	killWhileOpen(t, dir)
	stray := filepath.Join(dir, "partitions", tornTopic+"-0", "stray.dat")
	if err := os.WriteFile(stray, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := devstack.StartKafka(testContext(t), devstack.KafkaOptions{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "stray.dat") {
		t.Errorf("a file that is no segment: %v", err)
	}
	if err := os.Remove(stray); err != nil {
		t.Fatal(err)
	}
	// The failed start must not count as a clean end: the marker is still to be written.
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	if aborts := readAll(t, kafka.Addrs()[0])[0].aborts; aborts != 1 {
		t.Errorf("%d aborts", aborts)
	}
}

func TestATopicThatIsCreatedAgain(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	killWhileOpen(t, dir)
	addr, kill := startKillable(t, dir)
	admin := kadm.NewClient(tornClient(t, addr))
	if _, err := admin.DeleteTopic(testContext(t), tornTopic); err != nil {
		t.Fatal(err)
	}
	makeTornTopic(t, addr)
	begin(t, addr, tornID, "torn")
	kill()
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantContents(t, kafka.Addrs()[0], 1)
}

// After DeleteRecords a partition's files do not begin at offset 0, or there are none.
func TestALogWhoseBeginningWasDeleted(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	committed := killWhileOpen(t, dir)
	addr, kill := startKillable(t, dir)
	admin := kadm.NewClient(tornClient(t, addr))
	ends, err := admin.ListEndOffsets(testContext(t), tornTopic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRecords(testContext(t), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	kill()
	addr, kill = startKillable(t, dir) // the partitions are empty
	begin(t, addr, tornID, "torn again")
	commitOne(t, addr, "other", "last")
	kill()
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	for p, got := range readAll(t, kafka.Addrs()[0]) {
		if n := len(got.committed); n == 0 || n > len(committed) || got.committed[n-1] != "last" || got.aborts == 0 {
			t.Errorf("partition %d has %q and %d aborts", p, got.committed, got.aborts)
		}
	}
}
