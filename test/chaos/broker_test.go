package chaos_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// brokerBackWithin is how long the platform may be unavailable when one of three brokers is killed.
const brokerBackWithin = 20 * time.Second

// brokerRate is in orders a second. It is lower than ordersRate, because here each commit is written three times, on
// the same two cores as the services and the load. Such a machine, with other work on it, acknowledged 140 a second. At
// a higher rate the test would count the time to drain the backlog as unavailability.
const brokerRate = 250

// kafkaScript kills or starts one of the brokers that scripts/kafka.sh runs.
func kafkaScript(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("../../scripts/kafka.sh", args...).CombinedOutput(); err != nil {
		t.Fatalf("kafka.sh %v: %v\n%s", args, err, out)
	}
}

func TestKillABrokerOfThree(t *testing.T) {
	if !strings.Contains(os.Getenv("HOLDFAST_TEST_KAFKA"), ",") {
		t.Skip("HOLDFAST_TEST_KAFKA names no cluster of three; BROKERS=3 make kafka-up starts one")
	}
	c := startCluster(t)
	l := startLoad(t, c.bin, c.orderURLs(), brokerRate)
	var slowest time.Duration
	for _, broker := range []string{"1", "2", "3"} {
		l.awaitAcks(500)
		kafkaScript(t, "kill", broker)
		start := time.Now()
		l.awaitAcks(500)
		slowest = max(slowest, time.Since(start))
		kafkaScript(t, "start", broker)
		l.awaitAcks(500)
	}
	t.Logf("slowest recovery, 500 orders included: %s", slowest)
	l.stop()
	if slowest > brokerBackWithin {
		t.Errorf("the platform was unavailable for %s, want %s", slowest, brokerBackWithin)
	}
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
}
