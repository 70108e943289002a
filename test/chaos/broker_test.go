package chaos_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// brokerBackWithin is how long the platform may be away when one of three brokers is killed.
const brokerBackWithin = 20 * time.Second

// brokerRate is in orders a second. It is less than the load under which processes are killed: each commit is written three
// times here, on the two cores that the services and the load have too. With other work beside it such a machine
// acknowledged 140 a second, and what queues up while a broker is away must not count as being away.
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
	l := startLoad(t, c.bin, c.urls(), brokerRate)
	var slowest time.Duration
	for _, broker := range []string{"1", "2", "3"} {
		l.acked(500)
		kafkaScript(t, "kill", broker)
		start := time.Now()
		l.acked(500)
		slowest = max(slowest, time.Since(start))
		kafkaScript(t, "start", broker)
		l.acked(500)
	}
	t.Logf("slowest return, 500 orders included: %s", slowest)
	l.stop()
	if slowest > brokerBackWithin {
		t.Errorf("the platform was away for %s, want %s", slowest, brokerBackWithin)
	}
	verify(t, c.bin, c.kafka, c.prefix, l.acks)
}
