package chaos_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/test/freeport"
)

// A process with another environment would write the same topics beside the writers of the platform. It ends at once,
// and says what to do.
func TestASecondEnvironmentOnOneLogIsRefused(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 2})
	bin := buildPrograms(t)
	for _, name := range []string{"order-api", "inventory-projector", "query-api"} {
		args := []string{
			"--kafka", strings.Join(log.Config.Seeds, ","), "--topic-prefix", log.Config.TopicPrefix, "--env", "intruder",
			"--listen", freeport.Address(t), "--admin-listen", "off",
		}
		if name != "inventory-projector" {
			args = append(args, "--data-dir", t.TempDir())
		}
		ctx, cancel := context.WithTimeout(t.Context(), backWithin)
		out, err := exec.CommandContext(ctx, filepath.Join(bin, name), args...).CombinedOutput()
		if err == nil || ctx.Err() != nil || !strings.Contains(string(out), "Start with --env "+log.Config.Env) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		cancel()
	}
}
