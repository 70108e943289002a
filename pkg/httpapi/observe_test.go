package httpapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

// An answer that fails after it has begun is no answer with status 200: not to its client, and not in the metrics.
func TestAnAnswerThatBreaksOffIsCountedAsOne(t *testing.T) {
	s := apitest.NewSite(t, nil, func(r httpapi.Router) {
		r.Add(http.MethodGet, "/v1/orders", func(c echo.Context) error {
			c.Response().WriteHeader(http.StatusOK)
			c.Response().Flush()
			return errors.New("the engine is gone")
		})
	})
	answer, err := http.Get(s.URL + "/v1/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := answer.Body.Read(make([]byte, 1)); err == nil || err.Error() != "unexpected EOF" {
		t.Errorf("the client reads to the end: %v", err)
	}
	want := strings.NewReader(`
# HELP holdfast_http_requests_total HTTP requests answered, by method and route, and status; broken_off: without an end.
# TYPE holdfast_http_requests_total counter
holdfast_http_requests_total{route="GET /v1/orders",status="broken_off"} 1
`)
	if err := testutil.GatherAndCompare(s.Registry, want, "holdfast_http_requests_total"); err != nil {
		t.Error(err)
	}
}
