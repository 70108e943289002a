package httpapi_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi"
)

// gate is a server that asks for keys. Its routes answer with who asks.
type gate struct {
	t        testing.TB
	log      *logtest.Log
	keys     *access.Keys
	server   *httpapi.Server
	registry *prometheus.Registry
	lines    bytes.Buffer // what the server logs
}

func newGate(t testing.TB) *gate {
	t.Helper()
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	g := &gate{t: t, log: log, registry: prometheus.NewRegistry()}
	cfg := g.log.Config
	cfg.Logger = slog.New(slog.NewJSONHandler(&g.lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Registerer = g.registry
	var err error
	if g.keys, err = access.Open(cfg); err != nil {
		t.Fatal(err)
	}
	g.server, err = httpapi.NewServer(httpapi.Config{Logger: cfg.Logger, Registerer: g.registry, Keys: g.keys})
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{
		"GET /v1/orders", "POST /v1/orders", "GET /v1/availability/:sku", "POST /v1/availability", "POST /v1/commands",
	} {
		method, path, _ := strings.Cut(route, " ")
		g.server.Router().Add(method, path, func(c echo.Context) error {
			p, err := httpapi.PrincipalOf(c)
			if err != nil {
				return err
			}
			verified := map[bool]string{true: " verified"}[p.Verified]
			return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, []byte(p.Name+verified))
		})
	}
	return g
}

// follow reads the keys.
func (g *gate) follow() *gate {
	g.t.Helper()
	g.log.Background(g.keys.Run)
	if err := g.keys.AwaitReady(g.log.Ctx); err != nil {
		g.t.Fatal(err)
	}
	return g
}

func (g *gate) key(scopes access.Scopes) (text string) {
	g.t.Helper()
	text, _, err := g.keys.Create(g.log.Ctx, access.NewKey{Name: "shop", Scopes: scopes})
	if err != nil {
		g.t.Fatal(err)
	}
	return text
}

func (g *gate) ask(method, path string, headers ...string) *httptest.ResponseRecorder {
	return send(g.server.Handler(), httptest.NewRequest(method, path, nil), headers)
}

// Whatever is wrong with a key, the answer is the same, so that nobody learns from it how far a guess was right.
func TestEveryBadKeyIsAnsweredTheSame(t *testing.T) {
	g := newGate(t).follow()
	good := g.key(access.AllScopes)
	expiring, _, err := g.keys.Create(g.log.Ctx, access.NewKey{
		Name: "brief", Scopes: access.AllScopes, ExpiresAt: time.Now().Add(100 * time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	revoked := g.key(access.AllScopes)
	id := revoked[strings.Index(revoked, g.log.Config.Env)+len(g.log.Config.Env)+1:][:12]
	if _, err := g.keys.Revoke(g.log.Ctx, id, access.Principal{}); err != nil {
		t.Fatal(err)
	}
	g.log.Eventually("a key has expired", func() bool { _, err := g.keys.Find(expiring); return err != nil })
	if answer := g.ask(http.MethodGet, "/v1/orders", "Authorization: Bearer "+good); answer.Code != http.StatusOK {
		t.Fatalf("a good key: %d %s", answer.Code, answer.Body)
	}
	const bearer = "Authorization: Bearer "
	body := ""
	for name, header := range map[string]string{
		"no header":                    "",
		"an empty header":              "Authorization: ",
		"the scheme alone":             "Authorization: Bearer",
		"an empty key":                 bearer,
		"another scheme":               "Authorization: Basic " + good,
		"no scheme":                    "Authorization: " + good,
		"another header":               "X-Api-Key: " + good,
		"the query's word":             "Authorization: key=" + good,
		"two spaces":                   "Authorization: Bearer  " + good,
		"two keys":                     bearer + good + ", " + good,
		"quotes":                       bearer + `"` + good + `"`,
		"upper case":                   bearer + strings.ToUpper(good),
		"one character less":           bearer + good[:len(good)-1],
		"one character more":           bearer + good + "x",
		"another last character":       bearer + good[:len(good)-1] + string(good[len(good)-1]^1),
		"another secret":               bearer + good[:len(good)-49] + strings.Repeat("0", 49),
		"a key of another environment": bearer + strings.Replace(good, g.log.Config.Env, "prod", 1),
		"the prefix":                   bearer + "hf_",
		"a JWT":                        bearer + "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzaG9wIn0.",
		"a JWT without a signature":    bearer + "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzaG9wIn0",
		"64 KiB":                       bearer + strings.Repeat("a", 60<<10),
		"not UTF-8":                    bearer + "hf_\xff\xfe",
		"a NUL":                        bearer + good + "\x00",
		"SQL":                          bearer + "' OR 1=1 --",
		"a format":                     bearer + "%s%s%s%n",
		"an expired key":               bearer + expiring,
		"a revoked key":                bearer + revoked,
	} {
		for _, route := range []string{"GET /v1/orders", "HEAD /v1/orders", "POST /v1/orders"} {
			method, path, _ := strings.Cut(route, " ")
			var headers []string
			if header != "" {
				headers = []string{header}
			}
			answer := g.ask(method, path, headers...)
			if answer.Code != http.StatusUnauthorized ||
				answer.Header().Get("Www-Authenticate") != `Bearer realm="holdfast"` ||
				answer.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s, %s: %d %v %s", name, route, answer.Code, answer.Header(), answer.Body)
			}
			if method == http.MethodHead {
				continue
			}
			if body == "" {
				body = answer.Body.String()
			}
			if answer.Body.String() != body || !strings.Contains(body, `"code":"unauthenticated"`) {
				t.Errorf("%s, %s: %s, where others get %s", name, route, answer.Body, body)
			}
		}
	}
	request := httptest.NewRequest(http.MethodGet, "/v1/orders", nil)
	request.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
	answer := send(g.server.Handler(), request, nil)
	if answer.Code != http.StatusUnauthorized || answer.Body.String() != body {
		t.Errorf("the header twice: %d %s", answer.Code, answer.Body)
	}
}

// A key without the scope is told which one it needs; the scheme is read in any case, as RFC 9110 has it.
func TestAKeyMayDoWhatItsScopesSay(t *testing.T) {
	g := newGate(t).follow()
	reader := "Authorization: bearer " + g.key(access.OrdersRead)
	for route, want := range map[string]struct {
		status          int
		scope, detailed string
	}{
		"GET /v1/orders":          {status: http.StatusOK},
		"HEAD /v1/orders":         {status: http.StatusOK},
		"POST /v1/orders":         {http.StatusForbidden, "orders:write", "needs the scope orders:write."},
		"GET /v1/availability/A1": {http.StatusForbidden, "stock:read", "needs the scope stock:read."},
		"POST /v1/commands": {http.StatusForbidden, "orders:write stock:write import:admin",
			"orders:write or stock:write or import:admin."},
		"GET /healthz":      {status: http.StatusOK},
		"GET /v1/nowhere":   {status: http.StatusNotFound},
		"DELETE /v1/orders": {status: http.StatusMethodNotAllowed},
	} {
		method, path, _ := strings.Cut(route, " ")
		answer := g.ask(method, path, reader)
		challenge := ""
		if want.scope != "" {
			challenge = `Bearer realm="holdfast", error="insufficient_scope", scope="` + want.scope + `"`
		}
		if answer.Code != want.status || answer.Header().Get("Www-Authenticate") != challenge ||
			!strings.Contains(answer.Body.String(), want.detailed) {
			t.Errorf("%s: %d %q %s", route, answer.Code, answer.Header().Get("Www-Authenticate"), answer.Body)
		}
	}
}

// Who changes something is named by the key, and that is proved. A client may name somebody else, which is not.
func TestTheKeyNamesWhoAsks(t *testing.T) {
	g := newGate(t).follow()
	key := "Authorization: Bearer " + g.key(access.OrdersWrite)
	for want, headers := range map[string][]string{
		"shop verified\n": {key}, "alice\n": {key, "Holdfast-Actor: alice"},
	} {
		if answer := g.ask(http.MethodPost, "/v1/orders", headers...); answer.Body.String() != want {
			t.Errorf("%q, want %q", answer.Body, want)
		}
	}
	if answer := g.ask(http.MethodPost, "/v1/orders", key, "Holdfast-Actor: "); answer.Code != http.StatusBadRequest {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// Before the keys are read nobody is let in, and nobody is told that a key is wrong: clients try again.
func TestNobodyIsLetInBeforeTheKeysAreRead(t *testing.T) {
	g := newGate(t)
	answer := g.ask(http.MethodGet, "/v1/orders", "Authorization: Bearer hf_x")
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if answer := g.ask(http.MethodGet, "/v1/orders"); answer.Code != http.StatusUnauthorized {
		t.Errorf("without a key: %d %s", answer.Code, answer.Body)
	}
}

// Neither the log nor a metric has a key: not one that is right, nor one that is nearly.
func TestKeysAreNotLogged(t *testing.T) {
	g := newGate(t).follow()
	good := g.key(access.OrdersRead)
	secret := good[len(good)-49 : len(good)-6]
	for _, key := range []string{good, good[:len(good)-1], "hf_marked_" + secret, "hf_\n" + secret} {
		for _, route := range []string{"GET /v1/orders", "POST /v1/orders", "GET /v1/nowhere"} {
			method, path, _ := strings.Cut(route, " ")
			if body := g.ask(method, path, "Authorization: Bearer "+key).Body.String(); strings.Contains(body, secret) {
				t.Errorf("the answer has the key: %s", body)
			}
		}
	}
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	everything := g.lines.String()
	for _, family := range families {
		everything += family.String()
	}
	if strings.Contains(everything, secret) || !strings.Contains(everything, "/v1/orders") {
		t.Errorf("the log or a metric has the key, or nothing at all:\n%s", everything)
	}
	if refused, reasons := logtest.Metric(t, g.registry, "holdfast_access_refused_total"); refused != 7 || reasons != 2 {
		t.Errorf("%v requests were refused, for %d reasons", refused, reasons)
	}
}

// Nobody can add a route and forget to say who may use it.
func TestARouteWithoutARowIsRefused(t *testing.T) {
	server, err := httpapi.NewServer(httpapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if message, _ := recover().(string); !strings.Contains(message, "who may use PATCH /v1/orders") {
			t.Errorf("%q", message)
		}
	}()
	server.Router().Add(http.MethodPatch, "/v1/orders", func(echo.Context) error { return nil })
}

// What a key costs: a request over a connection of this machine, to a route that answers at once.
func BenchmarkARequestWithAKey(b *testing.B) {
	g := newGate(b).follow()
	key := "Bearer " + g.key(access.StockRead)
	for _, test := range []struct {
		name string
		keys *access.Keys
	}{{"off", nil}, {"keys", g.keys}} {
		server, err := httpapi.NewServer(httpapi.Config{Logger: slog.New(slog.DiscardHandler), Keys: test.keys})
		if err != nil {
			b.Fatal(err)
		}
		server.Router().Add(http.MethodGet, "/v1/availability/:sku", func(c echo.Context) error {
			return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, []byte(`{}`))
		})
		b.Run(test.name, func(b *testing.B) {
			site := httptest.NewServer(server.Handler())
			defer site.Close()
			request, err := http.NewRequestWithContext(g.log.Ctx, http.MethodGet, site.URL+"/v1/availability/A1", nil)
			if err != nil {
				b.Fatal(err)
			}
			request.Header.Set("Authorization", key)
			b.ReportAllocs()
			for b.Loop() {
				answer, err := site.Client().Do(request)
				if err != nil || answer.StatusCode != http.StatusOK {
					b.Fatal(answer, err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
}
