package httpapi_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/httpapi"
)

// The admin port has metrics in both formats, and profiles. It tells no command line, which may have passwords.
func TestTheAdminServer(t *testing.T) {
	registry := prometheus.NewRegistry()
	commits := prometheus.NewCounter(prometheus.CounterOpts{Name: "commits_total", Help: "Commits."})
	registry.MustRegister(commits)
	commits.(prometheus.ExemplarAdder).AddWithExemplar(1, prometheus.Labels{"trace_id": "4bf92f35"})
	admin, err := httpapi.NewAdminServer(httpapi.Config{
		Logger: slog.New(slog.DiscardHandler), Hosts: httpapi.HostsOf("127.0.0.1:9464", nil),
	}, registry)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path, accept string) (int, string) {
		request := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil)
		request.Header.Set("Accept", accept)
		answer := httptest.NewRecorder()
		admin.Handler().ServeHTTP(answer, request)
		return answer.Code, answer.Body.String()
	}
	openMetrics := "application/openmetrics-text;version=1.0.0"
	for _, test := range []struct {
		path, accept string
		status       int
		want         string
	}{
		{"/metrics", "", 200, "commits_total 1\n"},
		{"/metrics", openMetrics, 200, `commits_total 1.0 # {trace_id="4bf92f35"} 1.0`},
		{"/debug/pprof/", "", 200, "goroutine"},
		{"/debug/pprof/goroutine?debug=1", "", 200, "TestTheAdminServer"},
		{"/debug/pprof/symbol", "", 200, "num_symbols"},
		{"/debug/pprof/profile?seconds=1", "", 200, ""},
		{"/debug/pprof/trace?seconds=0.01", "", 200, "trace"},
		{"/debug/pprof/cmdline", "", 404, "Unknown profile"},
		{"/healthz", "", 404, "not_found"},
	} {
		if status, body := get(test.path, test.accept); status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %.300s", test.path, status, body)
		}
	}
	rebound := httptest.NewRequest(http.MethodGet, "http://evil.example/metrics", nil)
	answer := httptest.NewRecorder()
	if admin.Handler().ServeHTTP(answer, rebound); answer.Code != http.StatusMisdirectedRequest {
		t.Errorf("a page that gave itself this address: %d", answer.Code)
	}
}
