package httpapi

import (
	"net/http"
	"net/http/pprof" // its routes on http.DefaultServeMux are served by nobody

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Paths of the server for operators.
const (
	MetricsPath  = "/metrics"
	ProfilesPath = "/debug/pprof/"
)

// NewAdminServer returns the server for operators: metrics in the formats of Prometheus and OpenMetrics, and profiles
// of the running process. It is a server of its own because clients of the API have no business there: a profile costs
// CPU, and shows what the process does.
func NewAdminServer(config Config, metrics prometheus.Gatherer) (*Server, error) {
	s, err := newServer(config)
	if err != nil {
		return nil, err
	}
	router := headRouter{s.echo} // it needs no keys: whoever reaches the address is an operator
	// Exemplars, which name traces, are in the OpenMetrics format alone. A scraper asks for it.
	router.Add(http.MethodGet, MetricsPath, echo.WrapHandler(promhttp.HandlerFor(metrics,
		promhttp.HandlerOpts{EnableOpenMetrics: true})))
	// pprof.Cmdline is left out: a command line may have passwords.
	for path, handler := range map[string]http.HandlerFunc{
		"profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
	} {
		router.Add(http.MethodGet, ProfilesPath+path, echo.WrapHandler(handler))
	}
	// The index also serves each of the named profiles: heap, goroutine, block, mutex and others.
	router.Add(http.MethodGet, ProfilesPath+"*", echo.WrapHandler(http.HandlerFunc(pprof.Index)))
	return s, nil
}
