package e2e_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// browserVariable is the environment variable with the path of Chromium. `make test-browser` fetches one.
const browserVariable = "HOLDFAST_TEST_CHROMIUM"

//go:embed testdata/attack.html
var attackPage []byte

// attackName finds the name that testdata/attack.html gives a request.
var attackName = regexp.MustCompile(`pwned_[a-z]+_(?:api|sql)_[a-z_]+`)

// The requests of testdata/attack.html by name, with the method that arrives: a preflight is OPTIONS.
var attacks = map[string]string{
	"sql_image": "GET", "sql_image_file": "GET", "sql_get": "GET", "sql_head": "HEAD", "sql_head_file": "HEAD",
	"sql_post": "POST", "sql_post_body": "POST", "sql_post_file": "POST", "sql_preflight": "OPTIONS",
	"sql_beacon": "POST", "sql_form": "POST",
	"api_beacon": "POST", "api_beacon_text": "POST", "api_blob": "POST", "api_text": "POST", "api_path": "POST",
	"api_put": "OPTIONS", "api_form": "POST",
}

// A page of another origin, at an address of this machine or another name, and one whose name points to the platform
// once it has loaded (DNS rebinding). A rebound page is of the platform's own origin for the browser: no preflight.
var pages = []struct {
	name, page string
	rebinds    bool
}{
	{"pwned_other", "http://evil.example/", false},
	{"pwned_port", "http://127.0.0.1:3000/", false},
	{"pwned_rebound", "", true},
}

// outside is all that Chromium reaches: a proxy, which has the attacker's pages, and names that point to the platform.
type outside struct {
	t       *testing.T
	rebound map[string]string // the host that a name points to once its page has loaded, by host

	ended chan string // what a Chromium that has ended by itself has printed

	mu      sync.Mutex
	arrived map[string]string // what the platform answered, by method and name of the attack
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/attack" || r.URL.Host == "127.0.0.1:3000" || r.URL.Host == "evil.example" {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write(attackPage)
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	unescaped, _ := url.QueryUnescape(r.URL.RequestURI() + string(body))
	name := attackName.FindString(unescaped)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			if to := o.rebound[p.In.Host]; to != "" {
				p.Out.URL.Host = to // Out.Host stays the name that the browser asked for
			}
		},
		ModifyResponse: func(response *http.Response) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.arrived[r.Method+" "+name] = response.Status
			return nil
		},
	}
	proxy.ServeHTTP(w, r)
}

// await waits until all these requests have been answered.
func (o *outside) await(want []string) {
	o.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		o.mu.Lock()
		var missing []string
		for _, request := range want {
			if o.arrived[request] == "" {
				missing = append(missing, request)
			}
		}
		o.mu.Unlock()
		if len(missing) == 0 {
			return
		}
		select {
		case printed := <-o.ended:
			o.t.Fatalf("Chromium has ended: %s", printed)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("Chromium has not sent %v", missing)
		}
	}
}

// nothingTaken checks that all requests were refused. A preflight may be answered, and is not followed by its request.
func (o *outside) nothingTaken() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for request, status := range o.arrived {
		method, name, _ := strings.Cut(request, " ")
		if method != http.MethodOptions && !strings.HasPrefix(status, "4") {
			o.t.Errorf("%s was answered %s", request, status)
		}
		if method == http.MethodPut && !strings.HasPrefix(name, "pwned_rebound") {
			o.t.Errorf("%s follows its preflight", request)
		}
	}
}

// browse has Chromium look at a page until the test ends.
func (o *outside) browse(program, proxy, page string) {
	t := o.t
	t.Helper()
	printed, err := os.Create(filepath.Join(t.TempDir(), "printed"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--proxy-server="+proxy, "--proxy-bypass-list=<-loopback>",
		"--remote-debugging-port=0", page)
	cmd.Stdout, cmd.Stderr = printed, printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has processes of its own, which end with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
		text, _ := os.ReadFile(printed.Name())
		o.ended <- string(text)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
		_ = printed.Close()
	})
}

// A page of another origin, looked at in Chromium, changes nothing: neither in the embedded ClickHouse, although it
// knows the password, nor through the API.
func TestWebPagesChangeNothing(t *testing.T) {
	program := os.Getenv(browserVariable)
	if program == "" {
		t.Skip("there is no browser; `make test-browser` fetches one")
	}
	dir := t.TempDir()
	p := dev(t, build(t), dir)
	clickHouse, err := url.Parse(p.clickHouse)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := clickHouse.User.Password()
	query := "/?" + url.Values{"user": {clickHouse.User.Username()}, "password": {password}}.Encode()
	api := strings.TrimPrefix(p.url, "http://")
	o := &outside{t: t, arrived: map[string]string{}, ended: make(chan string, 2*len(pages)), rebound: map[string]string{
		"api.rebound.example": api, "sql.rebound.example": clickHouse.Host,
	}}
	proxy := httptest.NewServer(o)
	t.Cleanup(proxy.Close)

	var want []string
	for _, page := range pages {
		for name, method := range attacks {
			if method == "OPTIONS" && page.rebinds {
				method = "PUT"
			}
			want = append(want, method+" "+page.name+"_"+name)
		}
		look := func(at string, targets map[string]string) {
			targets["prefix"] = page.name
			text, err := json.Marshal(targets)
			if err != nil {
				t.Fatal(err)
			}
			o.browse(program, proxy.URL, at+"#"+url.PathEscape(string(text)))
		}
		if page.rebinds {
			look("http://api.rebound.example/attack", map[string]string{"api": "http://api.rebound.example"})
			look("http://sql.rebound.example/attack", map[string]string{"clickHouse": "http://sql.rebound.example" + query})
			continue
		}
		look(page.page, map[string]string{"api": p.url, "clickHouse": "http://" + clickHouse.Host + query})
	}
	o.await(want)
	o.nothingTaken()
	p.nothingOfPages(t, dir, "http://"+clickHouse.Host+query)
}

// nothingOfPages checks that no page has written a file, a table or an item. What is asked for here works: the same
// line is taken from a program.
func (p *platform) nothingOfPages(t *testing.T, dir, clickHouse string) {
	t.Helper()
	count, body := send(t, http.MethodPost, clickHouse, "SELECT count() FROM system.tables WHERE name LIKE 'pwned%'")
	if count.StatusCode != http.StatusOK || strings.TrimSpace(body) != "0" {
		t.Errorf("tables: %s %s", count.Status, body)
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, "pwned") {
			t.Errorf("a page has written %s", path)
		}
		if os.IsNotExist(err) {
			return nil // stores delete files while they run
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	line := `{"id":"control","type":"register_item","sku":"control"}` + "\n"
	done, body := p.send(t, http.MethodPost, "/v1/commands", line, "Content-Type: application/x-ndjson")
	if done.StatusCode != http.StatusOK || !strings.Contains(body, `"status":200`) {
		t.Fatalf("the line of a program: %s %s", done.Status, body)
	}
	for _, page := range pages {
		for name := range attacks {
			receipt, body := p.send(t, http.MethodPost, "/v1/stock/"+page.name+"_"+name+"/receipts", `{"quantity":1}`,
				"Idempotency-Key: receipt")
			if receipt.StatusCode != http.StatusNotFound {
				t.Errorf("the item %s_%s: %s", page.name, name, body)
			}
		}
	}
}
