package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// TestTopicsApply: a dry run says that there is something to do, and the second time there is nothing.
func TestTopicsApply(t *testing.T) {
	cfg := logtest.Config(t)
	apply := []string{
		"topics", "apply", "--kafka", strings.Join(cfg.Seeds, ","), "--env", cfg.Env, "--topic-prefix", cfg.TopicPrefix,
		"--partitions", "4", "--shards", "2",
	}
	run := func(wantStatus int, want string, more ...string) string {
		t.Helper()
		out, err := holdfast(t, append(apply, more...)...)
		var status exitStatus
		errors.As(err, &status)
		if (err != nil && status == 0) || int(status) != wantStatus || !strings.Contains(out, want) {
			t.Errorf("%v: %v, want status %d and %q\n%s", more, err, wantStatus, want, out)
		}
		return out
	}
	run(2, "the platform is created, with 4 partitions and 2 shards", "--dry-run")
	run(2, "to create", "--dry-run")
	run(0, "Done: the platform is created")
	run(0, "Nothing to do: the platform has 4 partitions and 2 shards")
	run(0, "Nothing to do", "--dry-run")
	var plan eventlog.TopicPlan
	if err := json.Unmarshal([]byte(run(0, `"action": "none"`, "-o", "json")), &plan); err != nil || plan.ToDo() {
		t.Errorf("as JSON: %v, %+v", err, plan)
	}
	logtest.DeleteTopic(t, cfg, eventlog.TopicOrders)
	run(2, "to create", "--dry-run")
	holdfastFails(t, "shard count 9 is not between 1 and the partition count 4", append(apply, "--shards", "9")...)
}
