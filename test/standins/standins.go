// Package standins makes images of Apache Kafka and ClickHouse where the published ones cannot be pulled: Kafka from
// its jars and this machine's Java, ClickHouse from the embedded engine. They read the variables of the published
// images, KAFKA_LISTENERS, CLICKHOUSE_USER and so on. It needs no Docker: an image is an archive, as docker save writes
// it.
package standins

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Names of the images.
const (
	KafkaName      = "holdfast.test/kafka:stand-in"
	ClickHouseName = "holdfast.test/clickhouse:stand-in"
)

// Build builds programs of this repository, static where they can be, into a folder.
func Build(programs, tags string, packages ...string) error {
	args := append([]string{
		"build", "-trimpath", "-tags", tags, "-ldflags", "-s -w", "-o", programs + string(filepath.Separator),
	}, packages...)
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", packages, err, out)
	}
	return nil
}

// Kafka is Apache Kafka from the jars of scripts/kafka.sh and this machine's Java. root is the repository; the folder
// programs has the program test/standins/kafka.
func Kafka(root, programs string) (*Image, error) {
	if out, err := exec.Command(filepath.Join(root, "scripts", "kafka.sh"), "fetch").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("fetch Apache Kafka: %w\n%s", err, out)
	}
	program, err := exec.LookPath("java")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return nil, fmt.Errorf("java, of which the stand-in for apache/kafka is made: %w", err)
	}
	home := filepath.Dir(filepath.Dir(program))
	libraries, err := filepath.Glob(filepath.Join(home, "lib", "*.so"))
	if err != nil {
		return nil, err
	}
	files, err := Libraries(append(libraries, program, filepath.Join(home, "lib", "server", "libjvm.so"))...)
	if err != nil {
		return nil, err
	}
	for name, source := range map[string]string{
		"/start":            filepath.Join(programs, "kafka"),
		"/jre/bin/java":     program,
		"/jre/lib":          filepath.Join(home, "lib"),
		"/jre/conf":         filepath.Join(home, "conf"),
		"/kafka":            filepath.Join(root, ".local", "kafka", "lib"),
		"/kafka/log4j2.xml": filepath.Join(root, "scripts", "kafka", "log4j2.xml"),
	} {
		files[name] = source
	}
	return &Image{
		Name: KafkaName, UID: 1000, Entrypoint: []string{"/start"}, Files: files,
		Folders: []string{"/tmp", "/var/lib/kafka/data"}, Env: []string{"PATH=/jre/bin"},
	}, nil
}

// ClickHouse is the embedded ClickHouse. The folder programs has the program test/standins/clickhouse.
func ClickHouse(programs string) (*Image, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	libraries, err := filepath.Glob(filepath.Join(cache, "holdfast", "libchdb-*"))
	if err != nil {
		return nil, err
	}
	if len(libraries) == 0 {
		return nil, errors.New("the embedded ClickHouse has not been fetched; run go test ./pkg/devstack/chdb once")
	}
	program := filepath.Join(programs, "clickhouse")
	shared := slices.DeleteFunc(slices.Clone(libraries), func(file string) bool { return !strings.HasSuffix(file, ".so") })
	files, err := Libraries(append(shared, program)...)
	if err != nil {
		return nil, err
	}
	files["/start"] = program
	for _, library := range libraries {
		files["/cache/"+filepath.Base(library)] = library
	}
	return &Image{
		Name: ClickHouseName, UID: 101, Entrypoint: []string{"/start"}, Files: files,
		Env: []string{"HOLDFAST_CACHE=/cache", "HOME=/tmp"}, Folders: []string{"/tmp", "/var/lib/clickhouse"},
	}, nil
}

// libraryPath finds what a program is linked with in the output of ldd.
var libraryPath = regexp.MustCompile(`(?m)(?:=>\s+|^\s+)(/\S+) \(0x`)

// Libraries are the C libraries that the files need, by their path.
func Libraries(files ...string) (map[string]string, error) {
	all := map[string]string{}
	for _, file := range files {
		out, err := exec.Command("ldd", file).CombinedOutput()
		if err != nil && !bytes.Contains(out, []byte("not a dynamic executable")) {
			return nil, fmt.Errorf("ldd %s: %w\n%s", file, err, out)
		}
		for _, match := range libraryPath.FindAllStringSubmatch(string(out), -1) {
			// A library of Java's own is in its place already.
			if !strings.Contains(match[1], "/jvm/") {
				all[match[1]] = match[1]
			}
		}
	}
	return all, nil
}
