package service

import (
	"runtime/debug"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A program says what it was linked with; what it was not linked with comes from what Go records.
func TestABuildSaysWhatItIs(t *testing.T) {
	const hash = "0aac2604b5c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2"
	recorded := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.1", Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: hash}
	changed := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for name, test := range map[string]struct {
		version, commit string
		recorded        *debug.BuildInfo
		want            BuildInfo
		text            string
	}{
		"linked with both": {"v1.2.0", hash, recorded("(devel)"),
			BuildInfo{"v1.2.0", hash, "go1.26.1"}, "v1.2.0 (commit 0aac2604b5c8, go1.26.1)"},
		"linked with both, in a repository with changes": {"v1.2.0", hash + "-dirty", recorded("(devel)", revision, changed),
			BuildInfo{"v1.2.0", hash + "-dirty", "go1.26.1"}, "v1.2.0 (commit 0aac2604b5c8-dirty, go1.26.1)"},
		"go build": {"", "", recorded("(devel)", revision, changed),
			BuildInfo{"unknown", hash + "-dirty", "go1.26.1"}, "unknown (commit 0aac2604b5c8-dirty, go1.26.1)"},
		"go install of a version": {"", "", recorded("v1.2.0"),
			BuildInfo{"v1.2.0", "unknown", "go1.26.1"}, "v1.2.0 (commit unknown, go1.26.1)"},
		"nothing recorded": {"", "", &debug.BuildInfo{},
			BuildInfo{"unknown", "unknown", "unknown"}, "unknown (commit unknown, unknown)"},
	} {
		have := buildInfo(test.version, test.commit, test.recorded)
		if have != test.want || have.String() != test.text {
			t.Errorf("%s: %+v, %q", name, have, have)
		}
	}
}

// Every process has holdfast_build_info.
func TestEveryProcessSaysWhatItWasBuiltFrom(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(newBuildInfoCollector())
	if n, err := testutil.GatherAndCount(Registry(), "holdfast_build_info"); err != nil || n != 1 {
		t.Errorf("%d metrics, %v", n, err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
