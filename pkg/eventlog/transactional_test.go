package eventlog

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestALogLineOfAnAbortIsNoticed(t *testing.T) {
	aborted := &atomic.Bool{}
	w := abortWatch{next: clientLogger{Config{}.withDefaults().Logger}, aborted: aborted}
	if w.Level() < kgo.LogLevelInfo {
		t.Fatal("the client does not log the line")
	}
	w.Log(kgo.LogLevelInfo, "something else")
	if aborted.Load() {
		t.Fatal("another line counts")
	}
	w.Log(kgo.LogLevelInfo, turnedIntoAbort+"; issuing an abort to clear any server-side partition registrations")
	if !aborted.Load() {
		t.Fatal("the line is passed over")
	}
	if !errors.As(newUnclearError(errTurnedIntoAbort), new(*UnclearError)) {
		t.Fatal("it is not unclear")
	}
}

// The line is the client's. When a new version of the client has another text, this test must fail; otherwise commits
// would be lost.
func TestTheClientStillLogsTheLine(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/twmb/franz-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "pkg", "kgo", "txn.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "LogLevelInfo, \""+turnedIntoAbort) {
		t.Fatal("EndTransaction logs another line when it turns a commit into an abort: look at transactional.go again")
	}
}
