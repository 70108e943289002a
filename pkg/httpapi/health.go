package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast/holdfast/pkg/appendjson"
)

func (s *Server) registerHealth() {
	router := s.Router()
	router.Add(http.MethodGet, "/healthz", func(c echo.Context) error {
		return WriteBody(c, http.StatusOK, JSONContentType, []byte(`{"status":"ok"}`))
	})
	router.Add(http.MethodGet, "/readyz", s.readiness)
	if s.config.Gatherer != nil {
		metrics := promhttp.HandlerFor(s.config.Gatherer, promhttp.HandlerOpts{})
		router.Add(http.MethodGet, "/metrics", echo.WrapHandler(metrics))
	}
}

func (s *Server) readiness(c echo.Context) error {
	var reasons []string
	select {
	case <-s.stopping:
		reasons = append(reasons, "stopping")
	default:
	}
	if s.config.Ready != nil {
		if err := s.config.Ready(); err != nil {
			reasons = append(reasons, reasonsOf(err)...)
		}
	}
	if len(reasons) == 0 {
		return WriteBody(c, http.StatusOK, JSONContentType, []byte(`{"status":"ready"}`))
	}
	body := appendjson.Array([]byte(`{"status":"not_ready","reasons":`), reasons, appendjson.String)
	return WriteBody(c, http.StatusServiceUnavailable, JSONContentType, append(body, '}'))
}

// reasonsOf takes errors.Join apart.
func reasonsOf(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var reasons []string
	for _, e := range joined.Unwrap() {
		reasons = append(reasons, reasonsOf(e)...)
	}
	return reasons
}
