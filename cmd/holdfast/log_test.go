package main

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// TestARecordIsShownAndQuarantined: what the runbook does, step by step.
func TestARecordIsShownAndQuarantined(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 2, ShardCount: 1})
	reach := []string{
		"--kafka", strings.Join(log.Config.Seeds, ","), "--env", log.Config.Env, "--topic-prefix", log.Config.TopicPrefix,
	}
	place := []string{"--topic", eventlog.TopicInventory, "--partition", "1", "--offset", "0"}
	run := func(want string, args ...string) {
		t.Helper()
		out, err := holdfast(t, append(append([]string{"log"}, args...), reach...)...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("holdfast log %q: %v, want %q\n%s", args, err, want, out)
		}
	}
	run("Readers stop at no record.\n", "inspect")
	log.Write(eventlog.TopicInventory, 1, "A", []byte("not a protobuf"))
	run("Readers stop at 1 record:\n\nTOPIC             PARTITION  OFFSET", "inspect")
	shown := append([]string{"inspect"}, place...)
	for _, want := range []string{
		"inventory.events partition 1 offset 0\n", "in no transaction: not by a shard's owner\n", "key       \"A\"\n",
		"headers   none; every event has six\n", "|not a protobuf|\n", "Every reader stops here: ",
		"  holdfast log quarantine --topic inventory.events --partition 1 --offset 0 \\\n",
	} {
		run(want, shown...)
	}
	if out, status := verified(t, log); status != 1 {
		t.Errorf("verify does not see the record: %d\n%s", status, out)
	}
	quarantine := append([]string{"log", "quarantine"}, place...)
	holdfastFails(t, "--reason must say", append(append(quarantine, "--reason", " "), reach...)...)
	run("inventory.events partition 1 offset 0 is quarantined",
		append(quarantine[1:], "--reason", "a test", "--by", "me")...)
	run("It cannot be quarantined: it is quarantined already, by me at ", shown...)
	run("Readers pass 1 quarantined record:", "inspect")
	holdfastFails(t, "is not quarantined: it is quarantined already",
		append(append(quarantine, "--reason", "again"), reach...)...)
	out, status := verified(t, log)
	if status != 0 || !strings.Contains(out, "1 quarantined and passed") {
		t.Errorf("verify does not pass the record: %d\n%s", status, out)
	}
	holdfastFails(t, "inventory.events/7@0 is no place of the event log: "+
		"its topics are orders.events and inventory.events, with the partitions 0 to 1",
		append([]string{"log", "inspect", "--topic", "inventory.events", "--partition", "7", "--offset", "0"}, reach...)...)
	holdfastFails(t, "has no record at offset 9: it ends at 1",
		append([]string{"log", "inspect", "--topic", "inventory.events", "--partition", "1", "--offset", "9"}, reach...)...)
}
