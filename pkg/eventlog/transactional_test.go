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
	turned := &atomic.Bool{}
	w := abortWatch{next: clientLogger{Config{}.withDefaults().Logger}, turned: turned}
	if w.Level() < kgo.LogLevelInfo {
		t.Fatal("the line is not even formatted")
	}
	w.Log(kgo.LogLevelInfo, "something else")
	if turned.Load() {
		t.Fatal("another line counts")
	}
	w.Log(kgo.LogLevelInfo, turnedIntoAbort+"; issuing an abort to clear any server-side partition registrations")
	if !turned.Load() {
		t.Fatal("the line is passed over")
	}
	if !errors.As(newUnclearError(errTurnedIntoAbort), new(*UnclearError)) {
		t.Fatal("it is not unclear")
	}
}

// The line is the client's: a new version that words it otherwise must fail here, not lose commits.
func TestTheClientStillSaysSo(t *testing.T) {
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
