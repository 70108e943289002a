package containers_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/test/standins"
)

// root is the repository.
var root = filepath.Join("..", "..")

// standIn makes an image that stands in for a published one, from programs that were built into a folder.
type standIn struct {
	program string
	image   func(programs string) (*standins.Image, error)
}

// available is an image that the engine has: the published one, or its stand-in where that cannot be pulled.
func available(t *testing.T, image string, instead standIn) string {
	t.Helper()
	if docker("image", "inspect", image) == nil || docker("pull", "--quiet", image) == nil {
		t.Logf("image %s", image)
		return image
	}
	folder := t.TempDir()
	if err := standins.Build(folder, "grpcnotrace", "../standins/"+instead.program); err != nil {
		t.Fatal(err)
	}
	made, err := instead.image(folder)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(folder, "image.tar")
	if err := made.Write(archive); err != nil {
		t.Fatal(err)
	}
	if err := docker("load", "--quiet", "--input", archive); err != nil {
		t.Fatal(err)
	}
	t.Logf("image %s cannot be pulled: %s stands in for it", image, made.Name)
	return made.Name
}

func kafkaStandIn(programs string) (*standins.Image, error) { return standins.Kafka(root, programs) }

// docker runs a command of Docker's command line.
func docker(args ...string) error {
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		return &dockerError{args, strings.TrimSpace(string(out))}
	}
	return nil
}

// dockerError is what Docker's command line said.
type dockerError struct {
	args []string
	says string
}

// Error implements error.
func (e *dockerError) Error() string { return "docker " + strings.Join(e.args, " ") + ": " + e.says }
