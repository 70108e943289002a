package chaos_test

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// askReady asks a replica whether it is ready.
func (p *process) askReady(query string) (status int, body string) {
	resp, err := http.Get("http://" + p.httpAddr + "/readyz" + query)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body) // what breaks off is not what the test waits for
	return resp.StatusCode, string(b)
}

// A replica says that a shard is not served as soon as that shard's owner does not answer, before anybody takes the
// shard over. It stays in service for the shards that are served.
func TestReadinessTellsOfADeadOwner(t *testing.T) {
	c := startClusterAnywhere(t)
	for round := range rounds(1, 20) {
		c.awaitShardsShared(t)
		dead, other := c.orders[round%2], c.orders[1-round%2]
		other.awaitReady(4 * backWithin)
		dead.signal(syscall.SIGSTOP)
		t.Cleanup(func() { _ = dead.cmd.Process.Signal(syscall.SIGCONT) })
		var status int
		var body string
		told := waitUntil(t, 4*backWithin, func() bool {
			status, body = other.askReady("")
			return status == http.StatusServiceUnavailable && strings.Contains(body, "does not answer")
		}, func() string { return "it says " + body })
		status, body = other.askReady("?allow=degraded")
		if status != http.StatusOK || !strings.Contains(body, `"degraded"`) {
			t.Errorf("a load balancer is told %d %s", status, body)
		}
		taken := waitUntil(t, 4*backWithin, func() bool {
			status, body = other.askReady("")
			return status == http.StatusOK && strings.Count(body, `"owner":"self"`) == clusterShards
		}, func() string { return "after the take-over it says " + body })
		t.Logf("told after %s, taken over %s later", told, taken)
		dead.signal(syscall.SIGCONT)
	}
}
