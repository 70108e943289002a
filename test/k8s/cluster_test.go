package k8s_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// namespace is that of the overlay dev.
const namespace = "holdfast"

// Variables of the environment.
const (
	// clusterEnv is set by make test-k8s once KUBECONFIG names a cluster that the test may use.
	clusterEnv = "HOLDFAST_TEST_KUBERNETES"
	// loadEnv is the command that loads an archive with images into the cluster; its argument is the file.
	loadEnv = "HOLDFAST_TEST_KUBERNETES_LOAD"
)

const (
	// pollInterval is the time between two looks at the cluster.
	pollInterval = 200 * time.Millisecond
	// soon bounds what Kubernetes does within seconds on a quiet machine.
	soon = "300s"
)

// cluster is the Kubernetes cluster of KUBECONFIG.
type cluster struct{ t *testing.T }

// openCluster skips the test unless make test-k8s has prepared a cluster.
func openCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv(clusterEnv) == "" {
		t.Skip("make test-k8s runs it against a cluster")
	}
	return &cluster{t}
}

// kubectl runs a command, and fails the test if it fails.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.tryKubectl(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *cluster) tryKubectl(args ...string) (string, error) { return runKubectl("", args...) }

func runKubectl(stdin string, args ...string) (string, error) {
	command := exec.Command("kubectl", args...)
	command.Stdin = strings.NewReader(stdin)
	var out, errors bytes.Buffer
	command.Stdout, command.Stderr = &out, &errors
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w\n%s%s", strings.Join(args, " "), err, &out, &errors)
	}
	return out.String(), nil
}

// inNamespace is kubectl in the platform's namespace.
func (c *cluster) inNamespace(args ...string) string {
	c.t.Helper()
	return c.kubectl(append([]string{"--namespace", namespace}, args...)...)
}

// apply sends manifests.
func (c *cluster) apply(manifests string, args ...string) {
	c.t.Helper()
	if _, err := runKubectl(manifests, append([]string{"apply", "-f", "-"}, args...)...); err != nil {
		c.t.Fatal(err)
	}
}

// get decodes an object.
func (c *cluster) get(into any, args ...string) {
	c.t.Helper()
	text := c.inNamespace(append([]string{"get", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		c.t.Fatal(err)
	}
}

// awaitRollout waits until a workload is as its specification says, and returns how long that took.
func (c *cluster) awaitRollout(workload string) time.Duration {
	c.t.Helper()
	began := time.Now()
	c.inNamespace("rollout", "status", "--timeout", soon, workload)
	return time.Since(began)
}

// waitUntil polls the condition, which says what is missing, and returns how long it took.
func waitUntil(t *testing.T, limit time.Duration, condition func() (missing string)) time.Duration {
	t.Helper()
	began := time.Now()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		missing := condition()
		if missing == "" {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("after %s: %s", limit, missing)
		}
		<-poll.C
	}
}
