package e2e_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/limits"
)

// importLines runs `import ndjson` and returns what it printed and its exit status.
func (p *platform) importLines(t *testing.T, binary, url string, stdin io.Reader, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), binary, append([]string{"import", "ndjson", "--url", url}, args...)...)
	cmd.Stdin, cmd.Dir = stdin, t.TempDir()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reject is a line of a rejects file.
type reject struct {
	Line     int
	ID, Text string
	Cut      bool
	Problem  client.ProblemDocument
}

func readRejects(t *testing.T, path string) []reject {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []reject
	for d := json.NewDecoder(f); ; {
		var r reject
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

// onHand is a SKU's stock as the command side has it. Registering it again changes nothing and answers with its levels.
func (p *platform) onHand(t *testing.T, sku string) int64 {
	t.Helper()
	c := client.New(p.url)
	answer, err := c.RegisterItem(testContext(t), sku, client.RegisterItem{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Value.OnHand
}

// A file has lines with every possible fault. Its correct lines are carried out once, however often the file is
// imported and however it is compressed. The others are in the rejects file.
func TestImportOfCommandLines(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	p := dev(t, binary, filepath.Join(dir, "data"))
	reference := strings.Repeat("x", limits.MaxBulkLineBytes)
	long := `{"type":"receive_stock","sku":"A1","body":{"reference":"` + reference + `"}}`
	text := "\ufeff" + `{"id":"r-1","type":"register_item","sku":"A1"}` + "\n\r\n" +
		`{"type":"receive_stock","sku":"A1","body":{"quantity":5}}` + "\r\n" +
		`{"type":"receive_stock","sku":"A1","body":{"quantity":5}}` + "\n" +
		`{"type":"receive_stock","sku":` + "\n" + long + "\n" +
		`[1]` + "\n" + `{"id":7,"type":"register_item","sku":"A1"}` + "\n" +
		`{"type":"receive_stock","sku":"B2","body":{"quantity":5}}` + "\n" +
		`{"type":"fly","id":"f-1"}` + "\n" +
		`{"type":"place_order","body":{"customer_id":"c-1","currency":"GBP",` +
		`"lines":[{"sku":"A1","quantity":2,"unit_price":"2.55"}]},"id":"o-1"}`
	file := write(t, filepath.Join(dir, "commands.ndjson"), text)
	out, status := p.importLines(t, binary, p.url, nil, file)
	if status != 1 || !strings.Contains(out, "10 lines read") || !strings.Contains(out, "4 accepted, 6 rejected") {
		t.Fatalf("status %d\n%s", status, out)
	}
	want := map[int]string{
		5: "malformed_json", 6: "line_too_long", 7: "wrong_type", 8: "wrong_type", 9: "unknown_sku", 10: "unknown_command",
	}
	for _, r := range readRejects(t, filepath.Join(dir, "commands.rejects.ndjson")) {
		if want[r.Line] != r.Problem.Code || r.ID == "" || r.Text == "" || r.Cut != (r.Line == 6) || r.Problem.Status < 400 {
			t.Errorf("rejected %.300q", fmt.Sprintf("%+v", r))
		}
		delete(want, r.Line)
	}
	if len(want) > 0 {
		t.Errorf("not rejected: %v", want)
	}

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(text))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	again := write(t, filepath.Join(dir, "again.ndjson.gz"), packed.String())
	for name, run := range map[string]func() (string, int){
		"the same file": func() (string, int) { return p.importLines(t, binary, p.url, nil, file) },
		"compressed":    func() (string, int) { return p.importLines(t, binary, p.url, nil, again) },
		"from standard input": func() (string, int) {
			return p.importLines(t, binary, p.url, strings.NewReader(text), "-", "--rejects", filepath.Join(dir, "in.ndjson"))
		},
	} {
		out, status := run()
		if status != 1 || !strings.Contains(out, "4 accepted (4 of them were there already), 6 rejected") {
			t.Errorf("%s: status %d\n%s", name, status, out)
		}
	}
	if got := p.onHand(t, "A1"); got != 10 {
		t.Errorf("%d on hand, want 10", got)
	}
	p.verify(t, binary)

	page, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```json\n")
	example, _, _ = strings.Cut(example, "```")
	out, status = p.importLines(t, binary, p.url, strings.NewReader(example), "-")
	if status != 0 || !strings.Contains(out, "8 accepted\n") {
		t.Errorf("the example of the documentation: status %d\n%s", status, out)
	}
}

// gate is a proxy between the import and the platform. through decides what happens to each request.
func gate(t *testing.T, p *platform, through func(request int64, w http.ResponseWriter, forward func() []byte)) string {
	t.Helper()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		through(requests.Add(1), w, func() []byte {
			response, err := http.Post(p.url+r.URL.Path, r.Header.Get("Content-Type"), bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return nil
			}
			defer response.Body.Close()
			answer, err := io.ReadAll(response.Body)
			if err != nil {
				t.Error(err)
			}
			return answer
		})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// receipts are n lines without ids that all change the same item.
func receipts(n int) string {
	receipt := `{"type":"receive_stock","sku":"A1","body":{"quantity":1}}` + "\n"
	return `{"type":"register_item","sku":"A1"}` + "\n" + strings.Repeat(receipt, n)
}

// The import is killed after the platform has carried out some lines and before it gets their results. Run again, it
// completes the file.
func TestAKilledImportGoesOn(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	p := dev(t, binary, filepath.Join(dir, "data"))
	const units = 10_000 // several requests
	file := write(t, filepath.Join(dir, "receipts.jsonl"), receipts(units))
	done := make(chan struct{})
	release := make(chan struct{})
	url := gate(t, p, func(request int64, w http.ResponseWriter, forward func() []byte) {
		answer := forward()
		if request == 3 { // after the ping and the first lines
			close(done)
			<-release
		}
		_, _ = w.Write(answer) // a killed import does not read it
	})
	defer close(release)
	cmd := exec.Command(binary, "import", "ndjson", "--url", url, file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := errors.Join(cmd.Process.Kill(), ignoreExit(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	half := p.onHand(t, "A1")
	if half == 0 || half >= units {
		t.Fatalf("%d units when it was killed: not in the middle", half)
	}
	out, status := p.importLines(t, binary, p.url, nil, file)
	if status != 0 || !strings.Contains(out, fmt.Sprintf("(%s of them were there already)", thousands(half+1))) {
		t.Errorf("status %d\n%s", status, out)
	}
	if got := p.onHand(t, "A1"); got != units {
		t.Errorf("%d units, want %d", got, units)
	}
	if _, err := os.Stat(filepath.Join(dir, "receipts.rejects.ndjson")); err == nil {
		t.Error("a rejects file stays though nothing was rejected")
	}
	p.verify(t, binary)
}

func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

func thousands(n int64) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }

// Requests and lines that the platform refuses for now are sent again with the same ids.
func TestAnImportOutlastsRefusalsForNow(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	p := dev(t, binary, filepath.Join(dir, "data"))
	const units = 20
	file := write(t, filepath.Join(dir, "receipts.jsonl"), receipts(units))
	url := gate(t, p, func(request int64, w http.ResponseWriter, forward func() []byte) {
		switch request {
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			w.WriteHeader(http.StatusTooManyRequests)
		case 4: // all lines are carried out; the answer breaks off within the third one
			lines := bytes.SplitAfter(forward(), []byte("\n"))
			_, _ = w.Write(bytes.Join([][]byte{lines[0], lines[1], lines[2][:9]}, nil)) // the status and the sums show it
		default:
			_, _ = w.Write(forward()) // likewise
		}
	})
	out, status := p.importLines(t, binary, url, nil, file)
	if status != 0 || !strings.Contains(out, "21 lines read") ||
		!strings.Contains(out, "21 accepted (19 of them were there already)") {
		t.Errorf("status %d\n%s", status, out)
	}
	if got := p.onHand(t, "A1"); got != units {
		t.Errorf("%d units, want %d", got, units)
	}
}
