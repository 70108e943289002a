package containers_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// mostBytes bounds the size of an image: what is larger takes long to pull where a node has been lost.
var mostBytes = map[string]int64{
	"order-api": 30e6, "inventory-projector": 30e6, "analytics-projector": 30e6, "query-api": 30e6, "holdfast": 60e6,
}

// Given the images of this checkout, they are small, run without rights and without a file system to write to, and
// say what they were built from.
func TestImagesAreSmallAndSayWhatTheyAre(t *testing.T) {
	for service, image := range imagesOfThisBuild(t) {
		program := programs[service]
		out, err := exec.Command("docker", "image", "inspect", image).Output()
		if err != nil {
			t.Fatalf("%s: %v", image, err)
		}
		var images []struct {
			Size   int64
			Config struct {
				User   string
				Labels map[string]string
			}
		}
		if err := json.Unmarshal(out, &images); err != nil || len(images) != 1 {
			t.Fatalf("%s: %v: %s", image, err, out)
		}
		i := images[0]
		if most := mostBytes[program]; i.Size > most || i.Config.User != "65532:65532" {
			t.Errorf("%s has %d bytes, at most %d are allowed; its user is %s", image, i.Size, most, i.Config.User)
		}
		commit := i.Config.Labels["org.opencontainers.image.revision"]
		run := exec.Command("docker", "run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL",
			"--security-opt=no-new-privileges", image, "--version")
		said, err := run.Output()
		want := program + " " + i.Config.Labels["org.opencontainers.image.version"] + " (commit "
		rest, found := strings.CutPrefix(string(said), want)
		shown, _, _ := strings.Cut(rest, ",")
		shown = strings.TrimSuffix(shown, "-dirty")
		if err != nil || !found || shown == "" || !strings.HasPrefix(commit, shown) {
			t.Errorf("%s of commit %s says %q, %v", image, commit, said, err)
		}
	}
}
