package chaos_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const fiveAway = `{"delta":-5,"reason":"damaged"}`

// TestARefusalBindsAPausedReplica: a replica takes a request and is paused. The client gives up, and sends the request
// again to the other replica, where it is refused. Then stock arrives, and the first replica goes on: what it took must
// not be carried out any more. The shard is the other replica's, or becomes that because its owner is paused.
func TestARefusalBindsAPausedReplica(t *testing.T) {
	c := startClusterAnywhere(t)
	for pausedIsOwner, times := range map[bool]int{false: rounds(4, 60), true: rounds(1, 10)} {
		for round := range times {
			t.Run(fmt.Sprintf("owner=%t/%d", pausedIsOwner, round), func(t *testing.T) {
				c.awaitShardsShared(t)
				paused, other := c.orders[round%2], c.orders[1-round%2]
				owner := other
				if pausedIsOwner {
					owner = paused
				}
				refuseWhilePaused(t, paused, other, c.skuOwnedBy(t, owner, fmt.Sprintf("late-%t-%d", pausedIsOwner, round)))
			})
		}
	}
	verify(t, c.bin, c.kafka, c.prefix, "")
}

func refuseWhilePaused(t *testing.T, paused, other *process, sku string) {
	t.Helper()
	path := "/v1/stock/" + sku
	other.change(t, http.MethodPut, path, "", `{"description":"late"}`, http.StatusOK)
	other.change(t, http.MethodPost, path+"/receipts", "r1", `{"quantity":1}`, http.StatusCreated)
	late := beginRequest(t, paused, path+"/adjustments", "late", fiveAway)
	paused.signal(syscall.SIGSTOP)
	t.Cleanup(func() { paused.signal(syscall.SIGCONT) })
	other.change(t, http.MethodPost, path+"/adjustments", "late", fiveAway, http.StatusConflict)
	more := other.change(t, http.MethodPost, path+"/receipts", "r2", `{"quantity":9}`, http.StatusCreated)
	if more.OnHand != 10 {
		t.Fatalf("there are %d, not 10", more.OnHand)
	}
	paused.signal(syscall.SIGCONT)
	if status, answer := late.finish(t); status != http.StatusServiceUnavailable {
		t.Errorf("the request that was refused meanwhile: %d %s", status, answer)
	}
	if now := other.change(t, http.MethodPut, path, "", `{"description":"late"}`, http.StatusOK); now.OnHand != 10 {
		t.Errorf("the client heard no, and the stock is %d", now.OnHand)
	}
	// The client may try once more: what it sends after the refusal is decided anew, by whichever replica takes it.
	for _, p := range []*process{paused, other} {
		if now := p.change(t, http.MethodPost, path+"/adjustments", "late", fiveAway, http.StatusCreated); now.OnHand != 5 {
			t.Errorf("sent again it is done, and the stock is %d", now.OnHand)
		}
	}
}

// skuOwnedBy is a SKU whose shard the replica owns, as the newest announcements say.
func (c *cluster) skuOwnedBy(t *testing.T, replica *process, prefix string) string {
	t.Helper()
	address := replica.args[slices.Index(replica.args, "--peer-listen")+1]
	owned := map[int32]bool{}
	c.readTopic(eventlog.TopicShards, clusterShards, func(rec *eventlog.Record) {
		var a eventv1.Announcement
		if err := a.UnmarshalVT(rec.Value); err != nil {
			t.Fatal(err)
		}
		owned[rec.Partition] = a.PeerAddress == address
	})
	for i := range 1000 {
		sku := fmt.Sprintf("%s-%d", prefix, i)
		if owned[c.log.Layout.ShardOf(c.log.PartitionOf(sku))] {
			return sku
		}
	}
	t.Fatalf("%s owns no shard: %v", address, owned)
	return ""
}

// stockAnswer is what the test reads of an answer.
type stockAnswer struct {
	OnHand int64 `json:"on_hand"`
}

// change sends a command, again with the same key while it is answered 503 or 429, until it has the wanted status.
func (p *process) change(t *testing.T, method, path, key, body string, want int) stockAnswer {
	t.Helper()
	var answer stockAnswer
	var last string
	waitUntil(t, 4*backWithin, func() bool {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.httpAddr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Prefer", "wait=1") // not for a replica that is paused
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			last = err.Error()
			return false
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body) // an answer that breaks off is not what the test wants
		last = fmt.Sprintf("%s %s", resp.Status, text)
		if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests {
			return false
		}
		if resp.StatusCode != want {
			t.Fatalf("%s %s: %s, want %d", method, path, last, want)
		}
		return want >= http.StatusBadRequest || json.Unmarshal(text, &answer) == nil
	}, func() string { return fmt.Sprintf("%s %s: %s", method, path, last) })
	return answer
}

// halfRequest is a request that a replica has taken: its header is read, and its body is not there yet.
type halfRequest struct {
	conn   net.Conn
	answer *bufio.Reader
	body   string
}

// beginRequest sends the header of a request, and returns when the replica asks for the body.
func beginRequest(t *testing.T, p *process, path, key, body string) *halfRequest {
	t.Helper()
	conn, err := net.Dial("tcp", p.httpAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(4 * backWithin))
	h := &halfRequest{conn: conn, answer: bufio.NewReader(conn), body: body}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nIdempotency-Key: %s\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, p.httpAddr, key, len(body))
	if err != nil {
		t.Fatal(err)
	}
	for line := ""; line != "\r\n"; {
		if line, err = h.answer.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// finish sends the body, and returns the answer.
func (h *halfRequest) finish(t *testing.T) (status int, text []byte) {
	t.Helper()
	if _, err := io.WriteString(h.conn, h.body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(h.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ = io.ReadAll(resp.Body) // only to be shown
	return resp.StatusCode, text
}
