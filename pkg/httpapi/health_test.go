package httpapi_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/httpapi"
)

// partialError is one that leaves a part of what the process serves.
type partialError string

func (e partialError) Error() string { return string(e) }
func (partialError) Partial()        {}

// Whoever asks whether all is well is told of each part that is not. A load balancer, which asks with allow=degraded,
// keeps a replica that still serves something.
func TestReadinessTellsAPartFromAll(t *testing.T) {
	var ready error
	s, err := httpapi.NewServer(httpapi.Config{
		Ready:  func() error { return ready },
		Status: func() map[string]any { return map[string]any{"shards": []int{1, 2}} },
	})
	if err != nil {
		t.Fatal(err)
	}
	part, all := partialError("shard 1 is not served"), errors.New("no broker")
	for _, test := range []struct {
		path   string
		ready  error
		status int
		body   string
	}{
		{"/readyz?allow=degrade", nil, 400, `{"type":"/errors/invalid_parameter","title":"A parameter is not valid",` +
			`"status":400,"code":"invalid_parameter","detail":"The parameter allow takes degraded alone.",` +
			`"instance":"/readyz"}`},
		{"/readyz", nil, 200, `{"status":"ready","shards":[1,2]}`},
		{"/readyz", part, 503, `{"status":"degraded","reasons":["shard 1 is not served"],"shards":[1,2]}`},
		{"/readyz?allow=degraded", part, 200, `{"status":"degraded","reasons":["shard 1 is not served"],"shards":[1,2]}`},
		{"/readyz?allow=degraded", nil, 200, `{"status":"ready","shards":[1,2]}`},
		{"/readyz?allow=degraded", errors.Join(part, all), 503,
			`{"status":"not_ready","reasons":["shard 1 is not served","no broker"],"shards":[1,2]}`},
	} {
		ready = test.ready
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, test.path, nil))
		body, err := io.ReadAll(w.Result().Body)
		if err != nil || w.Code != test.status || strings.TrimSuffix(string(body), "\n") != test.body {
			t.Errorf("%s with %v: %d %s, %v", test.path, test.ready, w.Code, body, err)
		}
	}
}
