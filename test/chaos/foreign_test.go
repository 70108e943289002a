package chaos_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// foreignRate is how many orders a second are placed while somebody else writes into the log.
const foreignRate = 300

// TestAForeignRecordUnderLoad: something else writes into a partition. Its owner writes nothing behind that and says
// where it is; the other shards go on. Once the record is quarantined everything goes on, and no acknowledged order is
// lost.
func TestAForeignRecordUnderLoad(t *testing.T) {
	c := startClusterAnywhere(t)
	audit := startAuditor(t, c.bin, c.kafka, c.prefix)
	l := startLoad(t, c.bin, c.orderURLs(), foreignRate)
	l.awaitAcks(foreignRate)
	for round := range rounds(1, 30) {
		rec := &eventlog.Record{
			TopicPartition: eventlog.TopicPartition{
				Topic:     []string{eventlog.TopicInventory, eventlog.TopicOrders}[round%2],
				Partition: int32(round) % c.log.Layout.PartitionCount,
			},
			Key: []byte("foreign"), Value: []byte(`{"hello":"world"}`),
		}
		if err := c.log.Client.Produce(t.Context(), []*eventlog.Record{rec}); err != nil {
			t.Fatal(err)
		}
		inspect := eventlog.InspectCommand(rec.TopicPartition, rec.Offset)
		c.awaitReadiness("shard", inspect, c.orders[:]...)
		c.awaitReadiness("cannot fold", inspect, map[string]*process{
			eventlog.TopicInventory: c.projector, eventlog.TopicOrders: c.query,
		}[rec.Topic])
		behind := c.committedBehind(rec)
		// A marker that comes late hides the record from the transaction after it.
		if behind > 0 && os.Getenv("HOLDFAST_TEST_KAFKA") == "" {
			t.Errorf("%d records were committed behind the foreign one", behind)
		}
		t.Logf("%d records behind %s/%d@%d", behind, rec.Topic, rec.Partition, rec.Offset)
		out, err := c.logCommand(append(strings.Fields(strings.TrimPrefix(inspect, "holdfast log inspect ")),
			"--reason", "a test")...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		c.awaitReady()
		l.awaitAcks(foreignRate)
	}
	l.stop()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
	audit.finds() // the foreign records, before they were quarantined
}

// TestADeletedLogStartUnderAPlatform: who has read the deleted records goes on and says so. Who needs them stops, and
// says what is missing.
func TestADeletedLogStartUnderAPlatform(t *testing.T) {
	c := startClusterAnywhere(t)
	acks := filepath.Join(t.TempDir(), "acks")
	c.placeOrders(acks)
	verify(t, c.bin, c.kafka, c.prefix, acks, "--settled")
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		logtest.DeleteRecords(t, c.log.Config, topic)
	}
	c.placeOrders(filepath.Join(t.TempDir(), "acks"))
	for _, p := range c.services() {
		// A standby whose next record was deleted says it in an error.
		says := func() bool { return strings.Contains(p.output.String(), "he start of the log is gone") }
		waitUntil(t, 4*backWithin, says, func() string {
			return fmt.Sprintf("%s does not say that the log has no start", filepath.Base(p.path))
		})
	}
	c.orders[0].kill()
	c.deleteStore(c.dataDirs[0])
	c.orders[0].start()
	c.awaitReadiness("starts at offset", "restore the topics from a backup", c.orders[0])
	out, err := exec.Command(filepath.Join(c.bin, "holdfast"), "verify",
		"--kafka", c.kafka, "--topic-prefix", c.prefix).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "restore the topics from a backup") {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// awaitReadiness waits until one of the services says both in /readyz.
func (c *cluster) awaitReadiness(what, more string, services ...*process) {
	t := c.log.T
	t.Helper()
	var last []string
	waitUntil(t, 4*backWithin, func() bool {
		last = last[:0]
		for _, p := range services {
			says := p.readiness()
			if strings.Contains(says, what) && strings.Contains(says, more) {
				return true
			}
			last = append(last, says)
		}
		return false
	}, func() string { return fmt.Sprintf("nobody says %q and %q, but %q", what, more, last) })
}

// readiness is the answer of /readyz, or why there is none.
func (p *process) readiness() string {
	_, body := p.askReady("")
	return body
}

// committedBehind is how many records of the partition are committed behind the record.
func (c *cluster) committedBehind(rec *eventlog.Record) (behind int) {
	t := c.log.T
	t.Helper()
	tps := []eventlog.TopicPartition{rec.TopicPartition}
	end, err := c.log.Client.StableOffsets(t.Context(), tps)
	if err != nil {
		t.Fatal(err)
	}
	from := eventlog.Offsets{rec.TopicPartition: rec.Offset + 1}
	err = c.log.Client.Read(t.Context(), from, end, func(*eventlog.Record) error {
		behind++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return behind
}

// logCommand runs holdfast log quarantine.
func (c *cluster) logCommand(args ...string) ([]byte, error) {
	args = append([]string{"log", "quarantine", "--kafka", c.kafka, "--topic-prefix", c.prefix}, args...)
	return exec.Command(filepath.Join(c.bin, "holdfast"), args...).CombinedOutput()
}
