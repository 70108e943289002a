// Package chaos_test kills the real programs while clients place orders. Afterwards it checks the log with holdfast
// verify: no acknowledged order is lost, none is in the log twice, and every invariant is true.
//
// chaos_test.go kills the embedded platform (holdfast dev), kafka_test.go the services on Apache Kafka, broker_test.go
// the brokers of a cluster. caches_test.go deletes everything but the log. process_test.go runs programs, load_test.go
// places orders, cluster_test.go starts the services, auditor_test.go the auditor beside them. rolling_test.go and
// start_test.go measure: how long shards are without service in a rolling restart, and how long a start takes.
package chaos_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/test/freeport"
)

// backWithin is how long a process may take until it is ready again, on a machine that does much else. A quiet one
// takes a second or two; the test says how long the slowest took.
const backWithin = 90 * time.Second

// patience bounds a whole test.
var patience = time.Duration(rounds(5, 120)) * time.Minute

// rounds is how often a test repeats its attack: few times as part of the other tests, many with
// HOLDFAST_TEST_CHAOS=long, which make test-chaos sets.
func rounds(few, many int) int {
	if os.Getenv("HOLDFAST_TEST_CHAOS") == "long" {
		return many
	}
	return few
}

func TestKillTheEmbeddedPlatform(t *testing.T) {
	bin := buildPrograms(t)
	api, kafka := freeport.Address(t), freeport.Address(t)
	dir := t.TempDir()
	p := &process{
		t:        t,
		path:     filepath.Join(bin, "holdfast"),
		httpAddr: api,
		args: []string{
			"dev", "--dir", dir, "--listen", api, "--admin-listen", "off", "--kafka-listen", kafka, "--clickhouse-listen",
			"127.0.0.1:0",
			"--shards", "2",
		},
	}
	p.start()
	p.awaitReady(backWithin)
	audit := startAuditor(t, bin, kafka, "")
	l := startLoad(t, bin, "http://"+api, ordersRate)
	l.awaitAcks(500)
	l.awaitHealthyAcks(2000)
	var slowest time.Duration
	for range rounds(10, 100) {
		p.kill()
		p.start()
		slowest = max(slowest, p.awaitReady(backWithin))
		l.awaitHealthyAcks(1500)
	}
	t.Logf("slowest restart %s", slowest)
	l.stop()
	l.checkHealthyRates()
	verify(t, bin, kafka, "", l.acksPath)
	audit.findsNothing()
	// Everything but the log is a cache. Without the caches the platform must come back with the same content.
	p.kill()
	for _, cache := range []string{"order-api", "query-api"} {
		if err := os.RemoveAll(filepath.Join(dir, cache)); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	p.awaitReady(backWithin)
	verify(t, bin, kafka, "", l.acksPath)
	// Killed, it would leave an engine of ClickHouse that writes to the folder while that is removed.
	p.signal(syscall.SIGTERM)
	p.awaitEnd(stopsWithin)
}
