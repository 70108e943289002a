// Package e2e_test runs the program as its users do: it builds bin/holdfast and talks to it from outside.
package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

const patience = 90 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// build makes the binary of this checkout.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "holdfast")
	command := exec.CommandContext(testContext(t), "go", "build", "-o", path, "../../cmd/holdfast")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// freePorts are flags of a platform that listens on free ports.
var freePorts = []string{
	"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0",
	"--clickhouse-listen", "127.0.0.1:0",
}

// platform is a `holdfast dev` that runs.
type platform struct {
	cmd                    *exec.Cmd
	url, kafka, clickHouse string
	metrics                string // URL
	// output gets what it prints after its banner, once it has ended.
	output chan string
}

// stopLimit is how long a platform may take to stop after a test.
const stopLimit = 30 * time.Second

// dev starts the platform on free ports and waits for its banner.
func dev(t *testing.T, binary, dir string, args ...string) *platform {
	t.Helper()
	cmd := exec.Command(binary, append(append([]string{"dev", "--dir", dir}, freePorts...), args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // in order: the engine of one that was killed would still write into the folder
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(stopLimit, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = cmd.Wait()
	})
	p := &platform{cmd: cmd, output: make(chan string, 1)}
	lines := bufio.NewReader(stdout)
	for p.url == "" || p.kafka == "" || p.clickHouse == "" || p.metrics == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the banner broke off: %v", err)
		}
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "API" {
			p.url = fields[1]
		} else if len(fields) == 2 && fields[0] == "Kafka" {
			p.kafka = fields[1]
		} else if len(fields) == 2 && fields[0] == "ClickHouse" {
			p.clickHouse = fields[1]
		} else if len(fields) > 2 && fields[0] == "metrics" {
			p.metrics = fields[1]
		}
	}
	go func() {
		output, _ := io.ReadAll(lines) // a killed process breaks its pipe
		p.output <- string(output)
	}()
	return p
}

// end sends the signal and returns what the process printed last, and how it ended.
func (p *platform) end(t *testing.T, signal os.Signal) (string, error) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	output := <-p.output
	return output, p.cmd.Wait()
}

// importing is the command that imports the file through the API at url.
func (p *platform) importing(t *testing.T, binary, file, url string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(testContext(t), binary, "import", "online-retail", file,
		"--url", url, "--kafka", p.kafka, "--clickhouse", p.clickHouse,
		"--rejects", filepath.Join(t.TempDir(), "rejects.csv"))
}

// importFile runs the import and returns what it printed.
func (p *platform) importFile(t *testing.T, binary, file string) string {
	t.Helper()
	out, err := p.importing(t, binary, file, p.url).CombinedOutput()
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	return string(out)
}

// position is right behind the last event of each partition. Every view reaches it. The ends of the partitions are
// further, behind the markers of transactions.
func (p *platform) position(t *testing.T) string {
	t.Helper()
	log, err := eventlog.Open(eventlog.Config{Seeds: []string{p.kafka}})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	layout, err := log.ReadLayout(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	var partitions []eventlog.TopicPartition
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		for n := range layout.PartitionCount {
			partitions = append(partitions, eventlog.TopicPartition{Topic: topic, Partition: n})
		}
	}
	end, err := log.EndOffsets(testContext(t), partitions)
	if err != nil {
		t.Fatal(err)
	}
	behind := eventlog.Offsets{}
	err = log.Read(testContext(t), nil, end, func(r *eventlog.Record) error {
		behind[r.TopicPartition] = r.Offset + 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := log.Identity(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return id.Incarnation.Text(eventlog.PositionOf(behind))
}

func (p *platform) get(t *testing.T, path, position string) string {
	t.Helper()
	for ctx := testContext(t); ; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if position != "" {
			request.Header.Set("Holdfast-Min-Position", position)
		}
		response, err := (&http.Client{Transport: apitest.Transport(t)}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		switch {
		case err == nil && response.StatusCode == http.StatusOK:
			return string(body)
		case err == nil && strings.Contains(string(body), `"position_not_reached"`): // it has waited
		default:
			t.Fatalf("GET %s: %v, %d %s", path, err, response.StatusCode, body)
		}
	}
}

// orderIDs are those of all orders at a position.
func (p *platform) orderIDs(t *testing.T, position string) (ids []string) {
	t.Helper()
	c := client.New(p.url)
	for filter := (client.OrderFilter{Limit: 500}); ; {
		page, err := c.Orders(testContext(t), filter, client.After(position))
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Value.Items {
			ids = append(ids, page.Value.Items[i].OrderID)
		}
		if filter.Cursor = page.Value.NextCursor; filter.Cursor == "" {
			return ids
		}
	}
}

// answers are what a client sees of an imported file: every SKU, some orders, and reports.
func (p *platform) answers(t *testing.T, skus []string) string {
	t.Helper()
	var all strings.Builder
	position := p.position(t)
	for _, sku := range skus {
		fmt.Fprintln(&all, p.get(t, "/v1/availability/"+sku, position))
	}
	for i, id := range p.orderIDs(t, position) {
		if i%10 == 0 {
			order := strings.TrimSpace(p.get(t, "/v1/orders/"+id, position))
			fmt.Fprintln(&all, order)
			var numbered struct{ Number int64 }
			if err := json.Unmarshal([]byte(order), &numbered); err != nil {
				t.Fatal(err)
			}
			found := p.get(t, fmt.Sprint("/v1/orders?number=", numbered.Number), position)
			if strings.TrimSpace(found) != `{"items":[`+order+`]}` {
				t.Errorf("number %d is %s, want %s", numbered.Number, found, order)
			}
		}
	}
	fmt.Fprintln(&all, p.get(t, "/v1/orders?limit=20", position))
	for _, report := range []string{
		"revenue?by=day", "revenue?by=customer", "stock-movements?by=sku", "stock-movements?by=reason",
	} {
		body := p.get(t, "/v1/reports/"+report+"&limit=5000", position)
		items, _, _ := strings.Cut(body, `],"position"`) // what follows is how fresh it is
		fmt.Fprintln(&all, items)
	}
	return all.String()
}

// What was imported stays, is never added twice, and reads the same after a clean stop and after a kill.
func TestImportTwiceAndRestart(t *testing.T) {
	binary, dir := build(t), filepath.Join(t.TempDir(), "data")
	file, skus := writeRetailer(t, 200)
	p := dev(t, binary, dir)
	out := p.importFile(t, binary, file)
	if !strings.Contains(out, "Reconciled:") || strings.Contains(out, " 0 events added") {
		t.Fatalf("first import:\n%s", out)
	}
	before := p.answers(t, skus)
	out = p.importFile(t, binary, file)
	if !strings.Contains(out, "Reconciled:") || !strings.Contains(out, " 0 events added") {
		t.Fatalf("second import:\n%s", out)
	}
	if p.answers(t, skus) != before {
		t.Error("answers changed by importing again")
	}
	output, err := p.end(t, os.Interrupt)
	if err != nil || !strings.Contains(output, "Stopped") {
		t.Errorf("stop: %v\n%s", err, output)
	}
	p = dev(t, binary, dir)
	if p.answers(t, skus) != before {
		t.Error("answers changed over a clean restart")
	}
	_, _ = p.end(t, syscall.SIGKILL)
	p = dev(t, binary, dir)
	if p.answers(t, skus) != before {
		t.Error("answers changed over a kill")
	}
	if out := p.importFile(t, binary, file); !strings.Contains(out, " 0 events added") {
		t.Errorf("import after a kill:\n%s", out)
	}
}

// The import of documents is killed after the platform has carried out some of them and before it gets their results.
// Run again, it completes the file, adds nothing twice, and reconciles to the last thousandth.
func TestAKilledImportOfDocumentsGoesOn(t *testing.T) {
	binary := build(t)
	file, _ := writeRetailer(t, 5_000) // several requests
	p := dev(t, binary, filepath.Join(t.TempDir(), "data"))
	done, release := make(chan struct{}), make(chan struct{})
	url := gate(t, p, func(request int64, w http.ResponseWriter, forward func() []byte) {
		answer := forward()
		if request == 4 { // after the items, their stock, and the first documents
			close(done)
			<-release
		}
		_, _ = w.Write(answer) // a killed import does not read it
	})
	defer close(release)
	cmd := p.importing(t, binary, file, url)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := errors.Join(cmd.Process.Kill(), ignoreExit(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	half := p.events(t, binary)
	out := p.importFile(t, binary, file)
	all := p.events(t, binary)
	if half == 0 || all-half < 1_000 || !strings.Contains(out, "Reconciled:") ||
		!strings.Contains(out, " "+thousands(all-half)+" events added") {
		t.Errorf("%d events when it was killed, %d in the end:\n%s", half, all, out)
	}
	out = p.importFile(t, binary, file)
	if !strings.Contains(out, " 0 events added") || !strings.Contains(out, "Reconciled:") {
		t.Errorf("run once more:\n%s", out)
	}
	p.verify(t, binary)
}

// events is how many the log has.
func (p *platform) events(t *testing.T, binary string) int64 {
	t.Helper()
	out, err := exec.CommandContext(testContext(t), binary, "verify", "--kafka", p.kafka, "-o", "json").Output()
	var report struct {
		Events int64 `json:"events"`
	}
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	if err != nil {
		t.Fatalf("verify: %v\n%s", err, out)
	}
	return report.Events
}

func TestDemoReconciles(t *testing.T) {
	args := append([]string{"demo", "--exit", "--orders", "300"}, freePorts...)
	out, err := exec.CommandContext(testContext(t), build(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	for _, want := range []string{"409 insufficient_stock", "Reconciled:", "2025-11  █", "1 Monday     GBP"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not show %q:\n%s", want, out)
		}
	}
}

func TestPortInUseIsSaidClearly(t *testing.T) {
	binary := build(t)
	p := dev(t, binary, t.TempDir())
	address := strings.TrimPrefix(p.url, "http://")
	out, err := exec.CommandContext(testContext(t), binary, "dev", "--dir", t.TempDir(),
		"--listen", address, "--admin-listen", "off", "--kafka-listen", "127.0.0.1:0",
		"--clickhouse-listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), address) || !strings.Contains(string(out), "--listen") {
		t.Errorf("%v: %s", err, out)
	}
}
