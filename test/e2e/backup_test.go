package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// An archive that was exported from a platform that runs makes another platform, on an embedded broker or on a cluster,
// of which clients see the same: orders, stock, what is under way, reports and insights. Positions and cursors of
// before are answered 409.
func TestAnArchiveMakesThePlatformAgain(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	file, skus := writeRetailer(t, 200)
	p := dev(t, binary, filepath.Join(dir, "first"))
	p.importFile(t, binary, file)
	work := p.startWork(t)
	before, insight := withoutCursors(p.answers(t, skus)), p.insight(t)
	position := p.position(t)
	orders, err := client.New(p.url).Orders(testContext(t), client.OrderFilter{Limit: 1})
	if err != nil || orders.Value.NextCursor == "" {
		t.Fatalf("%+v, %v", orders, err)
	}
	archive := filepath.Join(dir, "archive.hflog")
	if out, err := p.cli(t, binary, "log", "export", archive, "--kafka", p.kafka); err != nil ||
		!strings.Contains(out, "records/s") {
		t.Fatalf("export: %v\n%s", err, out)
	}
	if out, err := p.end(t, syscall.SIGTERM); err != nil {
		t.Fatalf("stop: %v\n%s", err, out)
	}

	again := func(p *platform) {
		t.Helper()
		if after := withoutCursors(p.answers(t, skus)); after != before {
			t.Errorf("the answers differ:\n%s\nbefore:\n%s", after, before)
		}
		if after := p.get(t, "/v1/stock/"+openSKU, ""); after != work {
			t.Errorf("under way is\n%s\nbefore:\n%s", after, work)
		}
		if after := p.insight(t); after != insight {
			t.Errorf("the insight is\n%s\nbefore:\n%s", after, insight)
		}
		for what, path := range map[string]string{
			"a position": "/v1/availability/" + openSKU, "a cursor": "/v1/orders?limit=1&cursor=" + orders.Value.NextCursor,
		} {
			resp, body := p.send(t, http.MethodGet, path, "", "Holdfast-Min-Position: "+position)
			if resp.StatusCode != http.StatusConflict || !strings.Contains(body, `"log_restored"`) {
				t.Errorf("%s of before: %d %s", what, resp.StatusCode, body)
			}
		}
		next, err := client.New(p.url).Orders(testContext(t), client.OrderFilter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.New(p.url).Orders(testContext(t), client.OrderFilter{Limit: 1, Cursor: next.Value.NextCursor},
			client.After(p.position(t))); err != nil {
			t.Errorf("a position and a cursor of now: %v", err)
		}
		p.verify(t, binary)
	}
	second := filepath.Join(dir, "second")
	if out, err := p.cli(t, binary, "log", "import", archive, "--dir", second); err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	p = dev(t, binary, second)
	again(p)
	if out, err := p.end(t, syscall.SIGTERM); err != nil {
		t.Fatalf("stop: %v\n%s", err, out)
	}
	if os.Getenv("HOLDFAST_TEST_KAFKA") == "" {
		return
	}
	kafka := os.Getenv("HOLDFAST_TEST_KAFKA") // the only platform there without a prefix
	t.Cleanup(func() { deletePlatform(t, eventlog.Config{Seeds: strings.Split(kafka, ",")}) })
	if out, err := p.cli(t, binary, "log", "import", archive, "--kafka", kafka); err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	p = dev(t, binary, filepath.Join(dir, "third"), "--kafka", kafka)
	again(p)
	if out, err := p.end(t, syscall.SIGTERM); err != nil {
		t.Fatalf("stop: %v\n%s", err, out)
	}
}

// withoutCursors leaves out what is of one log alone.
func withoutCursors(answers string) string { return cursorAnswered.ReplaceAllString(answers, "") }

var cursorAnswered = regexp.MustCompile(`,"next_cursor":"[^"]*"`)

func deletePlatform(t *testing.T, cfg eventlog.Config) {
	t.Helper()
	c, err := eventlog.Open(cfg)
	if err == nil {
		err = c.DeletePlatform(testContext(t))
		c.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

// insight is the answer of a ready insight, once it is live and has the position.
func (p *platform) insight(t *testing.T) string {
	t.Helper()
	position := p.position(t)
	var body string
	var status int
	for ctx := testContext(t); ctx.Err() == nil; {
		resp, answer := p.send(t, http.MethodGet, "/v1/insights/top_products?limit=100", "",
			"Holdfast-Min-Position: "+position)
		if status, body = resp.StatusCode, answer; status == http.StatusOK {
			items, _, _ := strings.Cut(withoutCursors(body), `,"position"`)
			return items
		}
	}
	t.Fatalf("the insight is not answered: %d %s", status, body)
	return ""
}
