package service

import "runtime/debug"

// Version names this program for people, as "v1.2.0 (go1.26.1)". A build that is no release shows the commit that it
// was built from, as "commit 0aac260 (go1.26.1)", and says where the source had changes since.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		version = "commit " + revision[:min(len(revision), revisionDigits)]
		if settings["vcs.modified"] == "true" {
			version += " and changes"
		}
	}
	return version + " (" + info.GoVersion + ")"
}

// revisionDigits is how much of a commit's hash is shown.
const revisionDigits = 12
