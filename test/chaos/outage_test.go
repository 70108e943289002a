package chaos_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// outage is how long brokers are lost.
	outage = 20 * time.Second
	// outageWarnings are enough for what one process has to say of an outage: each of three brokers, and each of four
	// shards, may be told three times, with the lines that count repetitions, and what it means for the process.
	outageWarnings = 24
)

var (
	// warningPattern is a line that somebody should look at.
	warningPattern = regexp.MustCompile(`(?m)^.*"level":"(?:WARN|ERROR)".*$`)
	// clientPattern are words of the Kafka client that say nothing to an operator.
	clientPattern = regexp.MustCompile(`manage loop|unable to open connection|metadata update|bumping|EOF\?`)
)

// TestLostBrokersAreToldPlainly: two of three brokers are lost for a while, then all three. Each process says so in a
// few lines, none of which calls for anything that would do harm, and says when it is over.
func TestLostBrokersAreToldPlainly(t *testing.T) {
	if !strings.Contains(os.Getenv("HOLDFAST_TEST_KAFKA"), ",") {
		t.Skip("HOLDFAST_TEST_KAFKA names no cluster of three; BROKERS=3 make kafka-up starts one")
	}
	c := startCluster(t)
	l := startLoad(t, c.bin, c.orderURLs(), brokerRate)
	for _, lost := range [][]string{{"1", "2"}, {"1", "2", "3"}} {
		t.Run(strings.Join(lost, ""), func(t *testing.T) {
			l.awaitAcks(500)
			before := map[*process]int{}
			for _, p := range c.services() {
				before[p] = len(p.output.String())
			}
			for _, broker := range lost {
				kafkaScript(t, "kill", broker)
			}
			<-time.After(outage)
			var started sync.WaitGroup
			for _, broker := range lost { // none is up before most of them are
				started.Go(func() { kafkaScript(t, "start", broker) })
			}
			started.Wait()
			l.awaitAcks(500)
			c.awaitReady()
			for _, p := range c.services() {
				checkOutageLog(t, filepath.Base(p.path), p.output.String()[before[p]:])
			}
		})
	}
	// Clients give commands up in the outage. What was acknowledged is there.
	l.cancel()
	_ = l.cmd.Wait()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
}

// checkOutageLog reads what a process has logged of an outage, as an operator would.
func checkOutageLog(t *testing.T, name, log string) {
	t.Helper()
	warnings := warningPattern.FindAllString(log, -1)
	t.Logf("%s: %d warnings in\n%s", name, len(warnings), log)
	if len(warnings) > outageWarnings {
		t.Errorf("%s: %d warnings, and %d are allowed", name, len(warnings), outageWarnings)
	}
	if strings.Contains(log, "deleted or made again") {
		t.Errorf("%s says that a topic was deleted", name)
	}
	if !strings.Contains(log, "again where the log ends") && !strings.Contains(log, "is served again") {
		t.Errorf("%s does not say that it is over", name)
	}
	if found := clientPattern.FindString(log); found != "" {
		t.Errorf("%s says %q, which are words of the client", name, found)
	}
}
