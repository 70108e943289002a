package chaos_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/holdfast/holdfast/test/freeport"
)

// auditor is holdfast verify --follow beside an attack. While processes are killed, transactions hang and steps between
// shards are under way, it must find nothing.
type auditor struct{ *process }

// auditorGrace is short, so that orders are compared with their stock while the attack goes on. It is longer than an
// embedded broker and its shards need to mend a torn transaction.
const auditorGrace = "10s"

func startAuditor(t *testing.T, bin, kafka, prefix string) *auditor {
	t.Helper()
	listen := freeport.Address(t)
	a := &auditor{&process{
		t: t, path: filepath.Join(bin, "holdfast"), httpAddr: listen,
		args: []string{
			"verify", "--follow", "--kafka", kafka, "--topic-prefix", prefix, "--data-dir", t.TempDir(),
			"--listen", listen, "--admin-listen", "off", "--grace", auditorGrace,
		},
	}}
	a.start()
	return a
}

// audited is what the auditor shows of itself in /readyz.
type audited struct {
	Events     int64
	Violations map[string]int64
	Waiting    int64 `json:"waiting_orders"`
}

func (a *auditor) status() (audited, string) {
	_, body := a.askReady("")
	var answer struct{ Auditor audited }
	_ = json.Unmarshal([]byte(body), &answer) // what is no answer has no events
	return answer.Auditor, body
}

// findsNothing waits until no order waits for its stock any more, and fails the test if anything was found.
func (a *auditor) findsNothing() {
	a.t.Helper()
	a.awaitReady(backWithin)
	waitUntil(a.t, 4*backWithin, func() bool {
		status, _ := a.status()
		return status.Events > 0 && status.Waiting == 0 || len(status.Violations) > 0
	}, func() string {
		_, body := a.status()
		return fmt.Sprintf("the auditor: %s\n%s", body, a.outputTail())
	})
	status, _ := a.status()
	if len(status.Violations) > 0 {
		a.t.Errorf("the auditor finds %v\n%s", status.Violations, a.outputTail())
	}
	a.t.Logf("the auditor found nothing in %d events", status.Events)
}

// finds waits until it has found a violation.
func (a *auditor) finds() {
	a.t.Helper()
	waitUntil(a.t, 4*backWithin, func() bool {
		status, _ := a.status()
		return len(status.Violations) > 0
	}, func() string { return "the auditor finds nothing\n" + a.outputTail() })
}
