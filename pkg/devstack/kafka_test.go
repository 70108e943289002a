package devstack_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// childEnv makes the test binary run a broker over that directory until it is killed.
const childEnv = "HOLDFAST_TEST_KAFKA_CHILD"

const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		serveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func serveUntilKilled(dir string) {
	kafka, err := devstack.StartKafka(context.Background(), devstack.KafkaOptions{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(kafka.Addrs()[0])
	_, _ = os.Stdin.Read(make([]byte, 1)) // returns when the test has ended without killing this process
	os.Exit(1)
}

func start(t *testing.T, o devstack.KafkaOptions) *devstack.Kafka {
	t.Helper()
	kafka, err := devstack.StartKafka(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	return kafka
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// acquire opens a client and the writer of the platform's only shard.
func acquire(t *testing.T, addr string) (*eventlog.Client, *eventlog.Writer, eventlog.Layout) {
	t.Helper()
	cfg := eventlog.Config{Seeds: []string{addr}, Embedded: true}
	c, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	layout, err := c.EnsurePlatform(testContext(t), eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	w, err := eventlog.OpenWriter(testContext(t), c, layout, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return c, w, layout
}

// commit appends the number n to every partition, in one transaction.
func commit(w *eventlog.Writer, layout eventlog.Layout, n int64) error {
	var recs []*eventlog.Record
	for _, tp := range layout.Partitions(0) {
		recs = append(recs, &eventlog.Record{TopicPartition: tp, Value: fmt.Append(nil, n)})
	}
	return w.Commit(recs)
}

// numbers reads the values of every partition.
func numbers(t *testing.T, c *eventlog.Client, layout eventlog.Layout) map[eventlog.TopicPartition][]string {
	t.Helper()
	end, err := c.EndOffsets(testContext(t), layout.Partitions(0))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[eventlog.TopicPartition][]string)
	err = c.Read(testContext(t), nil, end, func(r *eventlog.Record) error {
		got[r.TopicPartition] = append(got[r.TopicPartition], string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// check expects in every partition the numbers from 0 on: all that were acknowledged, and at most one more.
func check(t *testing.T, got map[eventlog.TopicPartition][]string, layout eventlog.Layout, acknowledged int64) {
	t.Helper()
	for _, tp := range layout.Partitions(0) {
		if n := int64(len(got[tp])); n < acknowledged || n > acknowledged+1 {
			t.Errorf("%v has %d numbers, %d were acknowledged", tp, n, acknowledged)
		}
		for i, value := range got[tp] {
			if value != fmt.Sprint(i) {
				t.Fatalf("%v: number %d is %s", tp, i, value)
			}
		}
	}
}

func TestKafkaKeepsItsLogBetweenRuns(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	var before eventlog.Layout
	for run := range int64(3) {
		kafka := start(t, devstack.KafkaOptions{Dir: dir})
		c, w, layout := acquire(t, kafka.Addrs()[0])
		if run > 0 && layout != before {
			t.Errorf("layout %+v, before %+v", layout, before)
		}
		before = layout
		if err := commit(w, layout, run); err != nil {
			t.Fatal(err)
		}
		check(t, numbers(t, c, layout), layout, run+1)
		w.Close()
		c.Close()
		kafka.Close()
	}
}

func TestKafkaComesBackAfterAKill(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	var next atomic.Int64
	for range 4 {
		killWhileCommitting(t, dir, &next)
		kafka := start(t, devstack.KafkaOptions{Dir: dir})
		c, w, layout := acquire(t, kafka.Addrs()[0])
		got := numbers(t, c, layout)
		check(t, got, layout, next.Load())
		// The last transaction may be in some partitions only. Complete it, as reconciliation does.
		completeLast(t, w, layout, got, &next)
		w.Close()
		c.Close()
		kafka.Close()
	}
}

// completeLast appends the number next to the partitions that do not have it.
func completeLast(
	t *testing.T, w *eventlog.Writer, layout eventlog.Layout, got map[eventlog.TopicPartition][]string, next *atomic.Int64,
) {
	t.Helper()
	var recs []*eventlog.Record
	for _, tp := range layout.Partitions(0) {
		if int64(len(got[tp])) == next.Load() {
			recs = append(recs, &eventlog.Record{TopicPartition: tp, Value: fmt.Append(nil, next.Load())})
		}
	}
	if len(recs) > 0 {
		if err := w.Commit(recs); err != nil {
			t.Fatal(err)
		}
	}
	next.Add(1)
}

// startKillable starts a broker in a process of its own. kill returns when that process has ended.
func startKillable(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
		_ = stdin.Close()
	})
	t.Cleanup(kill)
	addr, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(addr), kill
}

// killWhileCommitting kills a broker after some dozens of commits, while more are being made.
func killWhileCommitting(t *testing.T, dir string, next *atomic.Int64) {
	t.Helper()
	addr, kill := startKillable(t, dir)
	_, w, layout := acquire(t, addr)
	committedSome := make(chan struct{})
	commitErr := make(chan error)
	go func() {
		for n := 0; ; n++ {
			if n == 50 {
				close(committedSome)
			}
			if err := commit(w, layout, next.Load()); err != nil {
				commitErr <- err
				return
			}
			next.Add(1)
		}
	}()
	select {
	case <-committedSome:
	case err := <-commitErr:
		t.Fatal(err)
	}
	kill()
	w.Close() // otherwise the client would try to reach its broker for a long time
	if err := <-commitErr; err == nil {
		t.Error("commits went on without a broker")
	}
}

func TestKafkaNamesThePortThatIsInUse(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	addr := other.Addr().String()
	dir := t.TempDir() + "/kafka"
	_, err = devstack.StartKafka(context.Background(), devstack.KafkaOptions{Listen: addr, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("port in use: %v", err)
	}
	start(t, devstack.KafkaOptions{Dir: dir}) // the failed start has released the directory
	if _, err := devstack.StartKafka(context.Background(), devstack.KafkaOptions{Listen: "9092"}); err == nil {
		t.Error("an address without a host was accepted")
	}
}

func TestKafkaKeepsOthersOutOfItsDirectory(t *testing.T) {
	dir := t.TempDir() + "/kafka"
	start(t, devstack.KafkaOptions{Dir: dir})
	_, err := devstack.StartKafka(context.Background(), devstack.KafkaOptions{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second broker over one directory: %v", err)
	}
}

func TestKafkaDoesNotCreateTopicsByItself(t *testing.T) {
	kafka := start(t, devstack.KafkaOptions{})
	c, err := eventlog.Open(eventlog.Config{Seeds: kafka.Addrs(), Embedded: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &eventlog.Record{TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicAvailability}}
	if err := c.Produce(testContext(t), []*eventlog.Record{r}); err == nil {
		t.Error("a topic was created")
	}
}
