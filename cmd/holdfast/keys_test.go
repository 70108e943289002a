package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// keysOf runs a command on the keys of a log.
func keysOf(log *logtest.Log, args ...string) []string {
	return append([]string{
		"keys", args[0], "--kafka", strings.Join(log.Config.Seeds, ","), "--env", log.Config.Env,
		"--topic-prefix", log.Config.TopicPrefix,
	}, args[1:]...)
}

// A key is made, printed once, listed without its secret, and revoked.
func TestKeysAreMadeListedAndRevoked(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	run := func(args ...string) string {
		t.Helper()
		out, err := holdfast(t, keysOf(log, args...)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	if out := run("list"); out != "There are no API keys.\n" {
		t.Errorf("%s", out)
	}
	out := run("create", "--name", "shop", "--scopes", "orders:write,orders:read")
	text, note, _ := strings.Cut(out, "\n")
	if err := access.CheckText(text); err != nil || !strings.HasPrefix(text, "hf_"+log.Config.Env+"_") ||
		!strings.Contains(note, "cannot be printed again") {
		t.Errorf("%s: %v", out, err)
	}
	var second shownKey
	brief := run("create", "--name", "brief", "--scopes", "audit:read", "--expires", "90d", "-o", "json")
	if err := json.Unmarshal([]byte(brief), &second); err != nil || access.CheckText(second.Key) != nil {
		t.Fatalf("%v\n%s", err, brief)
	}
	if left := time.Until(*second.ExpiresAt); left < 89*24*time.Hour || left > 91*24*time.Hour {
		t.Errorf("it expires in %v", left)
	}
	if out := run("revoke", second.ID); out != second.ID+" is revoked.\n" {
		t.Errorf("%s", out)
	}
	out = run("list")
	for _, want := range []string{"shop", "active", "orders:write,orders:read", "never", second.ID, "revoked"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list lacks %s:\n%s", want, out)
		}
	}
	if out += run("list", "-o", "json"); strings.Contains(out, text[len(text)-49:]) {
		t.Errorf("the list has the secret:\n%s", out)
	}
	holdfastFails(t, "no API key has this ID", keysOf(log, "revoke", "nokey")...)
	holdfastFails(t, `there is no scope "moon"`, keysOf(log, "create", "--name", "a", "--scopes", "moon")...)
	holdfastFails(t, "--scopes must name at least one scope", keysOf(log, "create", "--name", "a")...)
	holdfastFails(t, "--name is empty", keysOf(log, "create", "--scopes", "audit:read")...)
	for _, bad := range []string{"soon", "0d", "-1h", "1"} {
		create := keysOf(log, "create", "--name", "a", "--scopes", "audit:read", "--expires", bad)
		holdfastFails(t, "is no duration", create...)
	}
}

// The key comes from a file or the environment, never from the command line, and a mistyped one is refused before it is
// sent. No error has it.
func TestTheCommandLineSendsTheKey(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	out, err := holdfast(t, keysOf(log, "create", "--name", "shop", "--scopes", "stock:read")...)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _ := strings.Cut(out, "\n")
	sent := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{"sku":"A1","items":[],"unknown":[]}`))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	get := func(more ...string) string {
		t.Helper()
		sent = ""
		args := append([]string{"stock", "show", "A1", "--url", server.URL, "-o", "json"}, more...)
		if out, err := holdfast(t, args...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return sent
	}
	if got := get(); got != "" {
		t.Errorf("without a key: %q", got)
	}
	if got := get("--api-key-file", file); got != "Bearer "+key {
		t.Errorf("from a file: %q", got)
	}
	t.Setenv("HOLDFAST_API_KEY", key)
	if got := get(); got != "Bearer "+key {
		t.Errorf("from the environment: %q", got)
	}
	mistyped := key[:len(key)-1]
	t.Setenv("HOLDFAST_API_KEY", mistyped)
	_, err = holdfast(t, "stock", "show", "A1", "--url", server.URL)
	if err == nil || !strings.HasPrefix(err.Error(), "HOLDFAST_API_KEY: ") || strings.Contains(err.Error(), mistyped) {
		t.Errorf("mistyped: %v", err)
	}
	t.Setenv("HOLDFAST_API_KEY_FILE", file)
	if got := get(); got != "Bearer "+key {
		t.Errorf("from a file that the environment names: %q", got)
	}
	t.Setenv("HOLDFAST_API_KEY_FILE", file+".gone")
	holdfastFails(t, "HOLDFAST_API_KEY_FILE: ", "stock", "show", "A1", "--url", server.URL)
}
