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
	tornID         = "torn" // the transactional id of who is torn
	// smallSegment makes every few records a new file of the broker; padBytes is each one's key.
	smallSegment = 1 << 10
	padBytes     = smallSegment / 4
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
	segmentBytes := strconv.Itoa(smallSegment)
	_, err := kadm.NewClient(tornClient(t, addr)).CreateTopic(testContext(t), tornPartitions, 1,
		map[string]*string{"segment.bytes": &segmentBytes}, tornTopic)
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
		if err := client.ProduceSync(testContext(t), &kgo.Record{Partition: p, Key: make([]byte, padBytes), Value: []byte(value)}).FirstErr(); err != nil {
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

// tail is what a partition holds: the values that are committed in it, and how many transactions were aborted.
type tail struct {
	committed []string
	aborts    int
}

// tails reads both partitions to their ends, as a reader that stops at open transactions does.
func tails(t *testing.T, addr string) [tornPartitions]tail {
	t.Helper()
	var got [tornPartitions]tail
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
				case rec.Key[3] == 0: // its type: 0 aborts, 1 commits
					got[p].aborts++
				}
			})
		}
		client.Close()
	}
	return got
}

func wantTails(t *testing.T, addr string, aborts int, committed ...string) {
	t.Helper()
	for p, got := range tails(t, addr) {
		if got.aborts != aborts || !slices.Equal(got.committed, committed) {
			t.Errorf("partition %d holds %q and %d aborts, want %q and %d", p, got.committed, got.aborts, committed, aborts)
		}
	}
}

// killWhileOpen leaves a log with one transaction that has no end, and others behind it in other files. It returns what
// is committed.
func killWhileOpen(t *testing.T, dir string) (committed []string) {
	t.Helper()
	addr, kill := killable(t, dir)
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
		t.Fatalf("%d files do not show that all are looked through", len(files))
	}
	return committed
}

// segments are a partition's files, the last one last.
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

// cutLastBatch takes the last batch off a partition, but for so many bytes of it.
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
		next += 12 + int(binary.BigEndian.Uint32(data[begin+8:])) // an offset, a length, and so many bytes
	}
	if err := os.Truncate(last, int64(begin+keep)); err != nil {
		t.Fatal(err)
	}
}

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
	addr, kill := killable(t, dir)
	wantTails(t, addr, 1, committed...)
	// Its producer's next commit does not bring it back.
	commitOne(t, addr, tornID, "whole")
	committed = append(committed, "whole")
	kill()
	// Everything has an end now, so the next start has nothing to write.
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantTails(t, kafka.Addrs()[0], 1, committed...)
}

func TestACrashWhileTornTransactionsAreAborted(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	committed := killWhileOpen(t, dir)
	_, kill := killable(t, dir)
	kill()
	// As though it had been killed between the two partitions' markers.
	cutLastBatch(t, dir, 1, 0)
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantTails(t, kafka.Addrs()[0], 1, committed...)
}

func TestATransactionWhoseMarkerIsTorn(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	addr, kill := killable(t, dir)
	makeTornTopic(t, addr)
	commitOne(t, addr, "other", "first")
	commitOne(t, addr, tornID, "torn")
	kill()
	for p := range tornPartitions {
		cutLastBatch(t, dir, p, 20) // bytes of the marker are left
	}
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantTails(t, kafka.Addrs()[0], 1, "first")
}

func TestPowerThatIsLostTakesTheEndOfTheLog(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	committed := killWhileOpen(t, dir)
	for p := range tornPartitions {
		// The file of last changes is there and its blocks are not: everything in it reads as zeros.
		files := segments(t, dir, p)
		zero(t, files[len(files)-1])
	}
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	for p, got := range tails(t, kafka.Addrs()[0]) {
		n := len(got.committed)
		if n == 0 || n >= len(committed) || !slices.Equal(got.committed, committed[:n]) || got.aborts == 0 {
			t.Errorf("partition %d holds %q and %d aborts, want a beginning of %q", p, got.committed, got.aborts, committed)
		}
	}
}

func TestFilesThatTheBrokerDoesNotHave(t *testing.T) {
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
	// The start that failed was no clean end.
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	if aborts := tails(t, kafka.Addrs()[0])[0].aborts; aborts != 1 {
		t.Errorf("%d aborts", aborts)
	}
}

func TestATopicThatIsMadeAgain(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	killWhileOpen(t, dir)
	addr, kill := killable(t, dir)
	admin := kadm.NewClient(tornClient(t, addr))
	if _, err := admin.DeleteTopic(testContext(t), tornTopic); err != nil {
		t.Fatal(err)
	}
	makeTornTopic(t, addr)
	begin(t, addr, tornID, "torn")
	kill()
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	wantTails(t, kafka.Addrs()[0], 1)
}

// A log whose old end was deleted, whole or in part, has files that do not begin at 0, or none.
func TestALogWhoseBeginningWasDeleted(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	committed := killWhileOpen(t, dir)
	addr, kill := killable(t, dir)
	admin := kadm.NewClient(tornClient(t, addr))
	ends, err := admin.ListEndOffsets(testContext(t), tornTopic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRecords(testContext(t), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	kill()
	addr, kill = killable(t, dir) // nothing is there
	begin(t, addr, tornID, "torn again")
	commitOne(t, addr, "other", "last")
	kill()
	kafka := start(t, devstack.KafkaOptions{Dir: dir})
	for p, got := range tails(t, kafka.Addrs()[0]) {
		if n := len(got.committed); n == 0 || n > len(committed) || got.committed[n-1] != "last" || got.aborts == 0 {
			t.Errorf("partition %d holds %q and %d aborts", p, got.committed, got.aborts)
		}
	}
}
