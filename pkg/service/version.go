package service

import (
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Set when the program is linked (scripts/build.sh), with -X github.com/holdfast/holdfast/pkg/service.commit=… So they
// are right in builds that have no repository, as those of an image, and with -buildvcs=false.
var (
	version string
	commit  string
)

// unknown is what stands for a version or commit that the build does not tell.
const unknown = "unknown"

// modified is behind a commit when the source had changes since.
const modified = "-dirty"

// BuildInfo says what a program was built from.
type BuildInfo struct {
	// Version is that of the release, such as v1.2.0, or of the last one before this build with the commits since, such
	// as v1.2.0-12-g0aac260.
	Version string
	// Commit is the hash of the source; "-dirty" is behind it when the source had changes since.
	Commit string
	// GoVersion is that of the compiler.
	GoVersion string
}

// Build is what this program was built from. What was not set when it was linked comes from what Go records.
func Build() BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildInfo(version, commit, info)
}

func buildInfo(version, commit string, recorded *debug.BuildInfo) BuildInfo {
	settings := map[string]string{}
	for _, s := range recorded.Settings {
		settings[s.Key] = s.Value
	}
	if commit == "" {
		commit = settings["vcs.revision"]
		if commit != "" && settings["vcs.modified"] == "true" {
			commit += modified
		}
	}
	if version == "" && recorded.Main.Version != "(devel)" {
		version = recorded.Main.Version
	}
	b := BuildInfo{Version: version, Commit: commit, GoVersion: recorded.GoVersion}
	for _, field := range []*string{&b.Version, &b.Commit, &b.GoVersion} {
		if *field == "" {
			*field = unknown
		}
	}
	return b
}

// String is for people: "v1.2.0 (commit 0aac2604b5c8, go1.26.1)".
func (b BuildInfo) String() string {
	hash, dirty := strings.CutSuffix(b.Commit, modified)
	short := hash[:min(len(hash), commitDigits)]
	if dirty {
		short += modified
	}
	return b.Version + " (commit " + short + ", " + b.GoVersion + ")"
}

// commitDigits is how much of a commit's hash people are shown.
const commitDigits = 12

// Version names this program for people.
func Version() string { return Build().String() }

// newBuildInfoCollector has the value 1, with labels that say what the program was built from: joined to other metrics,
// they tell which version did what.
func newBuildInfoCollector() prometheus.Collector {
	b := Build()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_build_info",
		Help: "1, with what the program was built from as labels.",
		ConstLabels: prometheus.Labels{
			"version": b.Version, "commit": b.Commit, "go_version": b.GoVersion,
		},
	}, func() float64 { return 1 })
}
