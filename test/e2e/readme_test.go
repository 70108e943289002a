package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readme is the README's section of examples.
type readme struct {
	commands []string // for a shell, in their order
	outputs  []string // what stands between them: answers
}

// readReadme splits the examples into blocks, which are indented.
func readReadme(t *testing.T) *readme {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## The API by example\n")
	section, _, ended := strings.Cut(section, "\n## ")
	r := &readme{}
	var block string
	for line := range strings.Lines(section + "\n") {
		if code, indented := strings.CutPrefix(line, "    "); indented {
			block += code
			continue
		}
		switch {
		case strings.HasPrefix(block, "curl ") || strings.HasPrefix(block, "O="):
			r.commands = append(r.commands, block)
		case block != "":
			r.outputs = append(r.outputs, block)
		}
		block = ""
	}
	if !ended || len(r.commands) < 10 {
		t.Fatalf("README.md has %d commands among its examples", len(r.commands))
	}
	return r
}

// What the README's examples name. A round has an item, an order and keys of its own.
var (
	readmeAddress  = regexp.MustCompile(`http://127\.0\.0\.1:8080`)
	readmeItem     = regexp.MustCompile(`\bA1\b`)
	readmeKey      = regexp.MustCompile(`(Idempotency-Key: |"id":")([a-z]+-\d+)`)
	readmeOrder    = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	readmePosition = regexp.MustCompile(`o\d+\.\d+~i\d+\.\d+`)

	answerStatus = regexp.MustCompile(`(?m)^status (\d+)$`)
	lineStatus   = regexp.MustCompile(`(?m)^\{"id":"[^"]*","status":(\d+)`)
	answerETag   = regexp.MustCompile(`(?m)^Etag: ("\d+")\r?$`)
)

// readmeRound follows the examples once, as a reader would who types them.
type readmeRound struct {
	url, suffix     string
	order, position string // as the platform has answered them
	variable        string // O=…
}

// run runs one of the README's commands and returns what it prints.
func (r *readmeRound) run(t *testing.T, command string) string {
	t.Helper()
	command = readmeAddress.ReplaceAllLiteralString(command, r.url)
	command = readmeItem.ReplaceAllString(command, "A1"+r.suffix)
	command = readmeKey.ReplaceAllString(command, "${1}${2}"+r.suffix)
	if r.order != "" {
		command = readmeOrder.ReplaceAllLiteralString(command, r.order)
		command = readmePosition.ReplaceAllLiteralString(command, r.position)
	}
	if strings.HasPrefix(command, "O=") {
		r.variable = command
		return ""
	}
	// The function adds what the test wants to see, and the README's reader need not type.
	script := "curl() { command curl -sSi -w '\\nstatus %{http_code}\\n' \"$@\"; }\n" + r.variable + command
	deadline := time.Now().Add(patience)
	for {
		out, err := exec.CommandContext(testContext(t), "sh", "-c", script).CombinedOutput()
		status := answerStatus.FindSubmatch(out)
		if err != nil || status == nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		statuses := []string{string(status[1])}
		for _, line := range lineStatus.FindAllSubmatch(out, -1) {
			statuses = append(statuses, string(line[1]))
		}
		failed := ""
		for _, s := range statuses {
			if !strings.HasPrefix(s, "2") {
				failed = s
			}
		}
		read := !strings.Contains(command, " -d ") && !strings.Contains(command, "--data")
		if failed == "" {
			return string(out)
		}
		if !read || time.Now().After(deadline) { // a view follows its log, and may not have the order yet
			t.Fatalf("%s\nwas answered %s:\n%s", command, failed, out)
		}
		time.Sleep(20 * time.Millisecond) // a reader who tries again
	}
}

// The README's examples work as they stand, however many writers there are: also the one with If-Match, which names the
// version that was just answered.
func TestTheExamplesOfTheReadmeWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	text, binary := readReadme(t), build(t)
	const rounds = 20
	for _, shards := range []int{1, 3, 4} {
		t.Run(fmt.Sprintf("%d shards", shards), func(t *testing.T) {
			p := dev(t, binary, t.TempDir(), "--shards", fmt.Sprint(shards))
			for n := range rounds {
				suffix := ""
				if n > 0 {
					suffix = fmt.Sprint("-", n)
				}
				p.followReadme(t, text, suffix)
			}
			if _, err := p.end(t, syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}

func (p *platform) followReadme(t *testing.T, text *readme, suffix string) {
	t.Helper()
	round := &readmeRound{url: p.url, suffix: suffix}
	etag := "" // of the newest answer to a command on the order
	for _, command := range text.commands {
		out := round.run(t, command)
		if strings.Contains(command, "/v1/orders ") {
			round.order, round.position = readmeOrder.FindString(out), positionIn(out)
			if suffix == "" {
				placedAsPrinted(t, text, out)
			}
		}
		if tag := answerETag.FindStringSubmatch(out); tag != nil && strings.Contains(command, "/v1/orders") ||
			tag != nil && strings.Contains(command, "$O/") {
			etag, round.position = tag[1], positionIn(out)
		}
	}
	if shown := p.etagOf(t, round.order, round.position); etag == "" || shown != etag {
		t.Errorf("the newest command was answered with version %s, the order view shows %s", etag, shown)
	}
}

func positionIn(out string) string {
	_, after, _ := strings.Cut(out, "Holdfast-Position: ")
	position, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(position)
}

// placedAsPrinted compares the answer to the first order with the README's, apart from its position.
func placedAsPrinted(t *testing.T, text *readme, out string) {
	t.Helper()
	first := slices.IndexFunc(text.outputs, func(b string) bool { return strings.HasPrefix(b, "HTTP/1.1 201 Created\n") })
	if first < 0 {
		t.Fatal("README.md shows no answer to an order")
	}
	head, printed := text.outputs[first], text.outputs[first+1]
	out = strings.ReplaceAll(out, "\r", "")
	_, body, _ := strings.Cut(out, "\n\n")
	body, _, _ = strings.Cut(body, "\nstatus ")
	var got, want any
	if err := errors.Join(json.Unmarshal([]byte(body), &got), json.Unmarshal([]byte(printed), &want)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("README.md says\n%s\nthe platform\n%s", printed, body)
	}
	for line := range strings.Lines(head) {
		if !strings.HasPrefix(line, "Holdfast-Position: ") && !strings.Contains(out, line) {
			t.Errorf("README.md has %q, the platform answers\n%s", line, out)
		}
	}
}

// etagOf is the order's version as the view has it.
func (p *platform) etagOf(t *testing.T, order, position string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(testContext(t), http.MethodGet, p.url+"/v1/orders/"+order, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Holdfast-Min-Position", position)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	return response.Header.Get("Etag")
}
