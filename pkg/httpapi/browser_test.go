package httpapi_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/httpapi"
)

// newGuarded returns a server with one command and one query, and how many requests reached them.
func newGuarded(t *testing.T, hosts ...string) (http.Handler, *int) {
	t.Helper()
	server, err := httpapi.NewServer(httpapi.Config{Logger: slog.New(slog.DiscardHandler), Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	reached := 0
	handle := func(c echo.Context) error {
		if _, err := httpapi.ReadBody(c); err != nil {
			return err
		}
		reached++
		return c.NoContent(http.StatusOK)
	}
	for method, path := range pathOf {
		server.Router().Add(method, path, handle)
	}
	return server.Handler(), &reached
}

// pathOf is the route that a test uses of each method.
var pathOf = map[string]string{
	http.MethodGet: "/v1/orders", http.MethodPost: "/v1/orders", http.MethodPut: "/v1/stock/:sku",
}

// A web page can send what needs no preflight: any simple request, with a body of a simple type or of none.
func TestAWebPageOfAnotherOriginCannotRunCommands(t *testing.T) {
	handler, reached := newGuarded(t)
	page := []string{"Origin: http://evil.example", "Sec-Fetch-Site: cross-site"}
	const json = "Content-Type: application/json"
	for name, test := range map[string]struct {
		headers []string
		status  int
	}{
		"sendBeacon of a Blob without a type":     {page, http.StatusForbidden},
		"sendBeacon of text":                      {append(page, "Content-Type: text/plain"), http.StatusForbidden},
		"fetch after a preflight that we failed":  {append(page, json), http.StatusForbidden},
		"another port of this machine":            {[]string{"Sec-Fetch-Site: same-site"}, http.StatusForbidden},
		"a browser without Sec-Fetch-Site":        {page[:1], http.StatusForbidden},
		"a sandboxed page":                        {[]string{"Origin: null"}, http.StatusForbidden},
		"a body without a type, sent by anybody":  {nil, http.StatusUnsupportedMediaType},
		"a type with nothing in it":               {[]string{"Content-Type: ;"}, http.StatusUnsupportedMediaType},
		"a page of this server":                   {[]string{"Sec-Fetch-Site: same-origin", json}, 200},
		"a page of this server, an older browser": {[]string{"Origin: http://api.example", json}, 200},
		"a program": {[]string{json}, http.StatusOK},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			*reached = 0
			request := httptest.NewRequest(method, "http://api.example"+pathOf[method], strings.NewReader(`{"sku":"A1"}`))
			answer := send(handler, request, test.headers)
			if answer.Code != test.status || (*reached == 1) != (test.status == http.StatusOK) {
				t.Errorf("%s, %s: %d %s", name, method, answer.Code, answer.Body)
			}
		}
	}
}

func send(handler http.Handler, request *http.Request, headers []string) *httptest.ResponseRecorder {
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

// After DNS rebinding a page of evil.example is of the same origin for its browser: only Host tells it from ours.
func TestOnlyKnownHostsAreServed(t *testing.T) {
	for name, test := range map[string]struct {
		hosts           []string
		known, unknowns []string
	}{
		"dev": {
			httpapi.LocalHosts("127.0.0.1:8080"),
			[]string{"localhost:8080", "LOCALHOST", "localhost.", "app.localhost:1", "127.0.0.1:8080", "[::1]:8080", "10.0.0.7"},
			[]string{"evil.example:8080", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1x", "[",
				":80"},
		},
		"dev on a name": {
			httpapi.LocalHosts("Build-Box.example:8080"), []string{"build-box.example:80", "localhost"},
			[]string{"evil.example"},
		},
		"a service on this machine": {
			httpapi.HostsOf("127.0.0.1:8080", nil), []string{"localhost"}, []string{"evil.example"},
		},
		"a service in a cluster": {httpapi.HostsOf("0.0.0.0:8080", nil), []string{"order-api.shop.svc", ""}, nil},
		"a service with names": {
			httpapi.HostsOf(":8080", []string{"api.shop"}), []string{"api.shop"}, []string{"evil.example"},
		},
		"a service that takes all":      {httpapi.HostsOf("127.0.0.1:80", []string{"*"}), []string{"evil.example"}, nil},
		"a health check under HTTP/1.0": {httpapi.LocalHosts("localhost:1"), []string{""}, nil},
	} {
		handler, reached := newGuarded(t, test.hosts...)
		for _, host := range slices.Concat(test.known, test.unknowns) {
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				*reached = 0
				request := httptest.NewRequest(method, pathOf[method], nil)
				request.Host = host
				answer := send(handler, request, nil)
				if known := slices.Contains(test.known, host); (answer.Code == http.StatusOK) != known || (*reached == 1) != known {
					t.Errorf("%s: %s to %q: %d %s", name, method, host, answer.Code, answer.Body)
				}
				if answer.Code != http.StatusOK && answer.Code != http.StatusMisdirectedRequest {
					t.Errorf("%s: %s to %q: %d", name, method, host, answer.Code)
				}
			}
		}
	}
}
