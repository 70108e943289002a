package apitest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/httpapi"
)

// Site is a server with some routes, for requests of a test.
type Site struct {
	*httptest.Server
	Registry *prometheus.Registry
	API      *httpapi.Server
	// Unchecked: answers are not held to the document, since the test makes them up.
	Unchecked bool
}

// NewSite starts a server with the routes that register adds. ready may be nil.
func NewSite(t testing.TB, ready func() error, register func(httpapi.Router)) *Site {
	t.Helper()
	registry := prometheus.NewRegistry()
	server, err := httpapi.NewServer(httpapi.Config{
		Logger: slog.New(slog.DiscardHandler), Registerer: registry, Ready: ready,
	})
	if err != nil {
		t.Fatal(err)
	}
	register(server.Router())
	s := &Site{Server: httptest.NewUnstartedServer(server.Handler()), Registry: registry, API: server}
	s.Config.MaxHeaderBytes = httpapi.MaxHeaderBytes
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// Reply is what a request got.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Problem is a problem document, as far as tests look at it.
type Problem struct {
	Code   string `json:"code"`
	Status int    `json:"status"`
	Errors []struct {
		Pointer string `json:"pointer"`
	} `json:"errors"`
}

// Problem fails unless the reply is a problem.
func (r Reply) Problem(t testing.TB) Problem {
	t.Helper()
	var p Problem
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%d %s is no problem: %s", r.Status, got, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return p
}

// Do sends a request. Headers are "Name: value"; an Idempotency-Key and a Content-Type are added unless they are given,
// and left out where they are given empty. "+Name: value" is one more of that name.
func (s *Site) Do(t testing.TB, method, path, body string, headers ...string) Reply {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Idempotency-Key", "k-1")
	request.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if second, ok := strings.CutPrefix(name, "+"); ok {
			request.Header.Add(second, value)
			continue
		}
		if request.Header.Set(name, value); value == "" {
			request.Header.Del(name)
		}
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Unchecked {
		if faults := Open(t).Check(request, []byte(body), response, answer); faults != "" {
			t.Errorf("%s %s: %d is not as schemas/openapi.yaml has it:\n%s%s",
				method, path, response.StatusCode, faults, answer)
		}
	}
	return Reply{response.StatusCode, response.Header, string(answer)}
}

// Routes are the routes that register adds, as the document writes them: "POST /v1/orders/{order_id}/cancel", sorted.
func Routes(register func(httpapi.Router)) []string {
	var r recorder
	register(&r)
	slices.Sort(r.routes)
	return r.routes
}

// recorder is a router that remembers its routes.
type recorder struct{ routes []string }

// Add implements httpapi.Router.
func (r *recorder) Add(method, path string, _ echo.HandlerFunc, _ ...echo.MiddlewareFunc) *echo.Route {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			segments[i] = "{" + name + "}"
		}
	}
	r.routes = append(r.routes, method+" "+strings.Join(segments, "/"))
	return nil
}
