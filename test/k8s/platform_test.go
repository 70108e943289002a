// Package k8s_test holds deploy/k8s to its word: manifests_test.go renders it and checks what it says, platform_test.go
// runs it in a Kubernetes cluster while orders are placed. image_test.go makes images without Docker; load is the
// program that places orders.
package k8s_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// rate is how many orders a second are placed.
	rate = 50
	// patience bounds a wait for something that takes seconds on a quiet machine.
	patience = 3 * time.Minute
	// shardCount is how many shards the overlay's platform has.
	shardCount = 6
)

// workloads are what the overlay runs.
var workloads = []string{
	"statefulset/kafka", "statefulset/clickhouse", "statefulset/order-api", "statefulset/query-api",
	"deployment/inventory-projector", "deployment/analytics-projector", "statefulset/auditor",
}

// platform is Holdfast in the cluster.
type platform struct {
	*cluster
	loadPod string
}

// The platform of the overlay dev is scaled, upgraded, killed and drained while orders are placed through the Go
// client. No order fails after the client's retries, and the log holds every invariant.
func TestAPlatformIsOperatedUnderLoad(t *testing.T) {
	p := &platform{cluster: openCluster(t)}
	p.loadImages("dev", "next")
	p.start()
	t.Cleanup(func() { p.kubectl("delete", "namespace", namespace) })
	t.Cleanup(p.explain)
	p.checkIdle()
	p.startLoad()

	p.step("scale order-api from 1 to 3 replicas", func() { p.scale(3) })
	p.step("scale order-api from 3 to 2 replicas", func() { p.scale(2) })
	p.step("roll the images", p.roll)
	p.step("kill pods", p.kill)
	p.step("drain the node", p.drain)
	p.step("run a replay", p.replay)
	p.stopLoad()
	p.verify()
	p.checkAudit()
}

// step does something while orders are placed, and says what it took and what clients saw.
func (p *platform) step(what string, do func()) {
	p.t.Helper()
	if _, err := p.inLoad("mark", "/work"); err != nil {
		p.t.Fatal(err)
	}
	before, began := p.report(), time.Now()
	do()
	took := time.Since(began)
	p.awaitOrders(rate)
	after := p.report()
	p.t.Logf("%s: %.1f s, %d orders placed meanwhile, %d failed, retried %v, longest wait %d ms", what,
		took.Seconds(), after.Placed-before.Placed, after.Failed-before.Failed, after.Retried, after.LongestMS)
	if after.Failed > before.Failed {
		p.t.Errorf("%s: orders failed: %v", what, after.Failures)
	}
	if after.Ended {
		p.t.Fatalf("%s: the load has ended", what)
	}
}

// loadImages builds the images of this checkout, under each tag, and loads them into the cluster.
func (p *platform) loadImages(tags ...string) {
	p.t.Helper()
	archives, err := buildImages(p.t.TempDir(), tags...)
	if err != nil {
		p.t.Fatal(err)
	}
	loader := strings.Fields(os.Getenv(loadEnv))
	if len(loader) == 0 {
		loader = []string{"../../scripts/kubernetes.sh", "load"}
	}
	for _, archive := range archives {
		if out, err := exec.Command(loader[0], append(loader[1:], archive)...).CombinedOutput(); err != nil {
			p.t.Fatalf("%v %s: %v\n%s", loader, archive, err, out)
		}
		if err := os.Remove(archive); err != nil {
			p.t.Fatal(err)
		}
	}
}

// start applies the overlay, and waits until everything is ready.
func (p *platform) start() {
	p.t.Helper()
	if _, err := p.tryKubectl("get", "namespace", namespace); err == nil {
		p.t.Fatalf("the cluster has a namespace %s already: kubectl delete namespace %s, or use another cluster",
			namespace, namespace)
	}
	certs, err := exec.Command("../../deploy/k8s/overlays/dev/peer-certs.sh", namespace).Output()
	if err != nil {
		p.t.Fatalf("peer-certs.sh: %v", err)
	}
	p.apply(string(certs))
	began := time.Now()
	p.kubectl("apply", "-k", "overlay")
	for _, workload := range workloads {
		p.awaitRollout(workload)
	}
	p.t.Logf("from kubectl apply until everything is ready: %.1f s", time.Since(began).Seconds())
}

// maxIdleMiB is how much memory a service may have that has nothing to do.
const maxIdleMiB = 100

// checkIdle reads what the kubelet says of the memory of each container.
func (p *platform) checkIdle() {
	p.t.Helper()
	node := strings.TrimSpace(p.inNamespace("get", "pod", "order-api-0", "-o", "jsonpath={.spec.nodeName}"))
	var summary struct {
		Pods []struct {
			PodRef     struct{ Namespace string }
			Containers []struct {
				Name   string
				CPU    struct{ UsageNanoCores int64 }
				Memory struct{ RSSBytes int64 }
			}
		}
	}
	// The kubelet looks at new containers every ten seconds.
	waitUntil(p.t, patience, func() string {
		text := p.kubectl("get", "--raw", "/api/v1/nodes/"+node+"/proxy/stats/summary")
		if err := json.Unmarshal([]byte(text), &summary); err != nil {
			p.t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, pod := range summary.Pods {
			for _, c := range pod.Containers {
				seen[c.Name] = seen[c.Name] || pod.PodRef.Namespace == namespace && c.Memory.RSSBytes > 0
			}
		}
		for _, service := range services[:4] {
			if !seen[service] {
				return "the kubelet does not know the memory of " + service
			}
		}
		return ""
	})
	for _, pod := range summary.Pods {
		for _, c := range pod.Containers {
			if pod.PodRef.Namespace != namespace {
				continue
			}
			mib := c.Memory.RSSBytes >> 20
			p.t.Logf("idle: %s has %d MiB resident, and takes %.1f %% of a core", c.Name, mib, float64(c.CPU.UsageNanoCores)/1e7)
			if slices.Contains(services, c.Name) && mib > maxIdleMiB {
				p.t.Errorf("%s has %d MiB, and nothing to do", c.Name, mib)
			}
		}
	}
}

// explain says what the cluster looked like when a test has failed.
func (p *platform) explain() {
	if !p.t.Failed() {
		return
	}
	for _, args := range [][]string{
		{"get", "pods", "-o", "wide"}, {"get", "events", "--sort-by", ".lastTimestamp"},
		{"logs", "--all-containers", "--prefix", "--tail", "30", "--selector", "app.kubernetes.io/part-of=holdfast"},
	} {
		out, err := p.tryKubectl(append([]string{"--namespace", namespace}, args...)...)
		p.t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// loadReport is what load says, as far as the test reads it.
type loadReport struct {
	Placed    int64            `json:"placed"`
	Failed    int64            `json:"failed"`
	Failures  []string         `json:"failures"`
	Retried   map[string]int64 `json:"retried"`
	P50MS     int64            `json:"p50_ms"`
	P99MS     int64            `json:"p99_ms"`
	LongestMS int64            `json:"longest_ms"`
	Ended     bool             `json:"ended"`
}

// startLoad begins to place orders.
func (p *platform) startLoad() {
	p.t.Helper()
	job, err := os.ReadFile("load.yaml")
	if err != nil {
		p.t.Fatal(err)
	}
	p.apply(strings.ReplaceAll(string(job), "RATE", strconv.Quote(strconv.Itoa(rate))))
	waitUntil(p.t, patience, func() string {
		p.loadPod = strings.TrimSpace(p.inNamespace("get", "pods", "--selector", "job-name=load", "-o", "name"))
		if p.loadPod == "" {
			return "the load has no pod"
		}
		if _, err := p.tryReport(); err != nil {
			return err.Error()
		}
		return ""
	})
	p.awaitOrders(rate)
}

// inLoad runs the load's program beside it.
func (p *platform) inLoad(args ...string) (string, error) {
	exec := []string{"--namespace", namespace, "exec", p.loadPod, "-c", "load", "--", "/load"}
	return p.tryKubectl(append(exec, args...)...)
}

func (p *platform) tryReport() (r loadReport, err error) {
	text, err := p.inLoad("report", "/work")
	if err == nil {
		err = json.Unmarshal([]byte(text), &r)
	}
	return r, err
}

func (p *platform) report() loadReport {
	p.t.Helper()
	r, err := p.tryReport()
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// awaitOrders waits until that many more orders are placed.
func (p *platform) awaitOrders(n int64) {
	p.t.Helper()
	before := p.report().Placed
	waitUntil(p.t, patience, func() string {
		if placed := p.report().Placed - before; placed < n {
			return fmt.Sprintf("%d of %d orders are placed", placed, n)
		}
		return ""
	})
}

// scale changes the number of replicas of order-api, and waits until all of them share the shards.
func (p *platform) scale(replicas int) {
	p.t.Helper()
	p.inNamespace("scale", "statefulset/order-api", "--replicas", strconv.Itoa(replicas))
	p.awaitRollout("statefulset/order-api")
	p.awaitShared(replicas)
}

// readiness is the answer of a replica's /readyz, as far as the test reads it.
type readiness struct {
	Status string `json:"status"`
	Shards []struct {
		Shard  int    `json:"shard"`
		Served bool   `json:"served"`
		Owner  string `json:"owner"`
	} `json:"shards"`
}

// awaitShared waits until each shard has one owner, and each replica owns one at least.
func (p *platform) awaitShared(replicas int) {
	p.t.Helper()
	waitUntil(p.t, patience, func() string {
		owned := map[int]int{} // shard to replica
		for replica := range replicas {
			text, err := p.inLoad("get", fmt.Sprintf("http://order-api-%d.order-api-peers:8080/readyz", replica))
			if err != nil {
				return err.Error()
			}
			var r readiness
			if err := json.Unmarshal([]byte(text), &r); err != nil || r.Status != "ready" {
				return "replica " + strconv.Itoa(replica) + ": " + text
			}
			for _, s := range r.Shards {
				if s.Owner == "self" {
					owned[s.Shard] = replica
				}
			}
		}
		owners := map[int]bool{}
		for _, replica := range owned {
			owners[replica] = true
		}
		if len(owned) != shardCount || len(owners) != replicas {
			return fmt.Sprintf("%d shards are owned, by %d replicas", len(owned), len(owners))
		}
		return ""
	})
}

// roll replaces every service by its next image, readers first.
func (p *platform) roll() {
	p.t.Helper()
	for _, workload := range []string{
		"deployment/inventory-projector", "deployment/analytics-projector", "statefulset/query-api", "statefulset/order-api",
	} {
		_, service, _ := strings.Cut(workload, "/")
		p.inNamespace("set", "image", workload, service+"=docker.io/holdfast/"+service+":next")
		p.t.Logf("%s is rolled out after %.1f s", workload, p.awaitRollout(workload).Seconds())
	}
	p.awaitShared(2)
}

// kill ends pods without a word: they get no signal that they could act on.
func (p *platform) kill() {
	p.t.Helper()
	for _, name := range []string{"order-api", "query-api", "inventory-projector", "analytics-projector", "order-api"} {
		pods := strings.Fields(p.inNamespace("get", "pods", "-o", "name", "--selector", "app.kubernetes.io/name="+name))
		slices.Sort(pods)
		p.inNamespace("delete", "--grace-period", "0", "--force", pods[len(pods)-1])
		for _, workload := range workloads {
			p.awaitRollout(workload)
		}
	}
	p.awaitShared(2)
}

// drain evicts what may be evicted. The node is the only one, so that what was evicted waits until it may be used
// again: of order-api, whose budget is one replica, the second stays.
func (p *platform) drain() {
	p.t.Helper()
	node := strings.TrimSpace(p.inNamespace("get", "pod", "order-api-0", "-o", "jsonpath={.spec.nodeName}"))
	p.t.Cleanup(func() { p.kubectl("uncordon", node) })
	out, err := p.tryKubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout", "20s",
		"--pod-selector", "app.kubernetes.io/name=order-api")
	if err == nil || !strings.Contains(err.Error(), "disruption budget") {
		p.t.Errorf("both replicas of order-api were evicted, or none: %v\n%s", err, out)
	}
	p.awaitOrders(2 * rate)
	p.kubectl("uncordon", node)
	p.awaitRollout("statefulset/order-api")
	p.awaitShared(2)
}

// replay computes an insight over the history, by the job that the manifests have for it.
func (p *platform) replay() {
	p.t.Helper()
	p.inNamespace("create", "configmap", "replay-definition", "--from-file", "insight.yaml")
	p.inNamespace("create", "job", "replay-units", "--from", "cronjob/replay")
	p.inNamespace("wait", "--for", "condition=complete", "--timeout", soon, "job/replay-units")
	waitUntil(p.t, patience, func() string {
		text, err := p.inLoad("get", "http://query-api:8080/v1/insights/units_by_currency")
		if err != nil {
			return err.Error()
		}
		if !strings.Contains(text, "GBP") {
			return text
		}
		return ""
	})
}

// stopLoad ends the load, and reads what became of all orders.
func (p *platform) stopLoad() {
	p.t.Helper()
	if _, err := p.inLoad("stop", "/work"); err != nil {
		p.t.Fatal(err)
	}
	var r loadReport
	waitUntil(p.t, patience, func() string {
		if json.Unmarshal([]byte(p.inNamespace("logs", p.loadPod, "-c", "load")), &r) != nil || !r.Ended {
			return "the load has not ended"
		}
		return ""
	})
	p.t.Logf("%d orders placed, %d failed, p50 %d ms, p99 %d ms, retried %v", r.Placed, r.Failed, r.P50MS, r.P99MS,
		r.Retried)
	if r.Failed > 0 {
		p.t.Errorf("orders failed: %v", r.Failures)
	}
}

// verify holds the log to the invariants, once with the answers that clients got, and once with the mirror.
func (p *platform) verify() {
	p.t.Helper()
	p.inNamespace("create", "job", "verify-all", "--from", "cronjob/verify")
	for _, job := range []string{"job/load", "job/verify-all"} {
		waitUntil(p.t, patience, func() string {
			var state struct {
				Status struct{ Succeeded, Failed int }
			}
			p.get(&state, job)
			switch {
			case state.Status.Failed > 0:
				p.t.Fatalf("%s has found violations:\n%s", job, p.inNamespace("logs", "--all-containers", job))
			case state.Status.Succeeded == 0:
				return job + " has not ended"
			}
			return ""
		})
		p.t.Logf("%s:\n%s", job, p.inNamespace("logs", "--container", "verify", job))
	}
}

// checkAudit looks at what the auditor has found while all of this was done.
func (p *platform) checkAudit() {
	p.t.Helper()
	text := p.inNamespace("get", "--raw", "/api/v1/namespaces/"+namespace+"/pods/auditor-0:9464/proxy/metrics")
	checked := false
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.HasPrefix(name, "holdfast_verify_violations_total") && value != "0":
			p.t.Errorf("the auditor has found violations: %s", line)
		case name == "holdfast_verify_events_total":
			checked = value != "0"
			p.t.Logf("the auditor has checked %s events", value)
		}
	}
	if !checked {
		p.t.Errorf("the auditor has checked nothing:\n%s", text)
	}
}
