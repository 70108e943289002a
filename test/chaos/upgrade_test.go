package chaos_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// formerEnv names a folder with order-api, inventory-projector and query-api of a former version: make test-upgrade.
const formerEnv = "HOLDFAST_TEST_FORMER"

// upgradeReplicas of order-api, one for each shard, are more than keep a standby of each.
const upgradeReplicas = clusterShards

// upgradeRate is in orders a second: low, because the test is about every order, not about how many.
const upgradeRate = 150

// TestAnUpgradeUnderLoad replaces the programs of a former version by these, one after the other, while orders are
// placed: readers first, then order-api. While both are there, each replica keeps a standby of each shard, as the
// former version does; then there are two of each. Then the platform begins to place orders with their goods. No order
// fails, no key places a second one, and nothing is wrong with the log, which both have written.
func TestAnUpgradeUnderLoad(t *testing.T) {
	former := os.Getenv(formerEnv)
	if former == "" {
		t.Skipf("%s names no former version; make test-upgrade does", formerEnv)
	}
	asTheFormerMakesIt := eventlog.Layout{PartitionCount: 12, ShardCount: clusterShards}
	c := startClusterUnder(t, upgradeReplicas, asTheFormerMakesIt)
	for _, p := range c.services() {
		downgrade(p, former)
	}
	c.awaitReady()
	l := startLoad(t, c.bin, c.orderURLs(), upgradeRate)
	l.awaitAcks(3 * upgradeRate)
	audit := startAuditor(t, c.bin, c.kafka, c.prefix)
	for _, p := range append([]*process{c.projector, c.query}, c.orders...) {
		began := time.Now()
		upgrade(p, c.bin)
		p.awaitReady(4 * backWithin)
		t.Logf("%s was ready in its new version after %s", filepath.Base(p.path), time.Since(began))
		l.awaitAcks(3 * upgradeRate)
	}
	c.awaitShardsShared(t)
	c.awaitStandbys(t)
	l.awaitAcks(3 * upgradeRate)
	set := c.setLayout(clusterShards)
	set.args = append(set.args, "--orders", "with-goods")
	if out, err := exec.Command(set.path, set.args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.awaitAcks(3 * upgradeRate)
	l.stop()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
	audit.findsNothing()
}

// downgrade replaces a process by the former version of its program, which knows no admin port. The stores that this
// version has made are deleted: the former version makes its own.
func downgrade(p *process, folder string) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.awaitEnd(stopsWithin)
	p.newArgs = p.args
	p.args = nil
	for i := 0; i < len(p.newArgs); i += 2 {
		switch p.newArgs[i] {
		case "--admin-listen":
			continue
		case "--data-dir":
			if err := os.RemoveAll(p.newArgs[i+1]); err != nil {
				p.t.Fatal(err)
			}
		}
		p.args = append(p.args, p.newArgs[i], p.newArgs[i+1])
	}
	p.path = filepath.Join(folder, filepath.Base(p.path))
	p.start()
}

// upgrade replaces a process by this version of its program, with the same settings and the same stores.
func upgrade(p *process, folder string) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.awaitEnd(stopsWithin)
	p.path, p.args = filepath.Join(folder, filepath.Base(p.path)), p.newArgs
	p.start()
}
