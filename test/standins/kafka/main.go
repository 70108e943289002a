// Command kafka starts Apache Kafka in a container as the image apache/kafka does, for tests where that image cannot be
// pulled: each variable KAFKA_NODE_ID becomes the setting node.id, the folder of the log is formatted if it is new, and
// then this process becomes the broker. Java is in /jre, Kafka's jars are in /kafka.
package main

import (
	"errors"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	java       = "/jre/bin/java"
	jars       = "/kafka/*"
	settings   = "/tmp/server.properties"
	logging    = "/kafka/log4j2.xml"
	heap       = "-Xmx768m"
	clusterID  = "aG9sZGZhc3QtdGVzdC0wMQ"
	logFolders = "log.dirs"
)

func main() {
	if err := start(); err != nil {
		log.Fatal(err)
	}
}

func start() error {
	properties := properties(os.Environ())
	lines := make([]string, 0, len(properties))
	for name, value := range properties {
		lines = append(lines, name+"="+value+"\n")
	}
	slices.Sort(lines)
	if err := os.WriteFile(settings, []byte(strings.Join(lines, "")), 0o600); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(properties[logFolders], "meta.properties"))
	if errors.Is(err, fs.ErrNotExist) {
		format := exec.Command(java, "-cp", jars, "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", settings)
		format.Stdout, format.Stderr = os.Stdout, os.Stderr
		err = format.Run()
	}
	if err != nil {
		return err
	}
	args := append([]string{java}, strings.Fields(heapOptions())...)
	args = append(args, "-XX:+ExitOnOutOfMemoryError", "-cp", jars, "-Dlog4j2.configurationFile="+logging, "kafka.Kafka",
		settings)
	return syscall.Exec(java, args, os.Environ())
}

// properties are the settings of the broker that the environment has.
func properties(environment []string) map[string]string {
	all := map[string]string{}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		name, ok := strings.CutPrefix(name, "KAFKA_")
		if ok && name != "HEAP_OPTS" {
			all[strings.ToLower(strings.ReplaceAll(name, "_", "."))] = value
		}
	}
	return all
}

func heapOptions() string {
	if options := os.Getenv("KAFKA_HEAP_OPTS"); options != "" {
		return options
	}
	return heap
}
