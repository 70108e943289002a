package e2e_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlpReceiver is a collector of OpenTelemetry, as far as it takes spans over HTTP.
type otlpReceiver struct {
	*httptest.Server
	t     *testing.T
	mu    sync.Mutex
	spans []*tracev1.Span
	came  chan struct{} // closed when spans come, and made anew
}

func newOTLPReceiver(t *testing.T) *otlpReceiver {
	r := &otlpReceiver{t: t, came: make(chan struct{})}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *otlpReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var sent tracev1.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || request.URL.Path != "/v1/traces" {
		r.t.Errorf("a collector got %s: %v", request.URL.Path, err)
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
	close(r.came)
	r.came = make(chan struct{})
}

// await waits for a span that is as wanted.
func (r *otlpReceiver) await(what string, wanted func(*tracev1.Span) bool) *tracev1.Span {
	r.t.Helper()
	late := time.After(time.Minute)
	for {
		r.mu.Lock()
		came := r.came
		var names []string
		for _, span := range r.spans {
			if wanted(span) {
				r.mu.Unlock()
				return span
			}
			names = append(names, span.Name)
		}
		r.mu.Unlock()
		select {
		case <-came:
		case <-late:
			r.t.Fatalf("there is no span of %s; there are %q", what, names)
		}
	}
}

// A trace goes from the client's request through the log to the views and the mirror, and its ID is with the metrics.
func TestARequestIsTracedThroughTheLog(t *testing.T) {
	const trace, client = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	receiver := newOTLPReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	p := dev(t, build(t), t.TempDir())
	p.send(t, http.MethodPut, "/v1/stock/A1", `{"description":"Lamp"}`)
	answer, body := p.send(t, http.MethodPost, "/v1/stock/A1/receipts", `{"quantity":3}`,
		"Idempotency-Key: traced", "Traceparent: 00-"+trace+"-"+client+"-01")
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}

	server := receiver.await("the request", func(s *tracev1.Span) bool {
		return s.Kind == tracev1.Span_SPAN_KIND_SERVER && hex.EncodeToString(s.TraceId) == trace
	})
	if server.Name != "POST /v1/stock/:sku/receipts" || hex.EncodeToString(server.ParentSpanId) != client {
		t.Errorf("the span of the request is %v", server)
	}
	receiver.await("the commit", func(s *tracev1.Span) bool {
		return s.Name == "commit" && string(s.ParentSpanId) == string(server.SpanId)
	})
	for _, name := range []string{"view availability_projector", "mirror"} {
		receiver.await(name, func(s *tracev1.Span) bool {
			return s.Name == name && s.Kind == tracev1.Span_SPAN_KIND_CONSUMER && len(s.Links) > 0 &&
				string(s.Links[len(s.Links)-1].SpanId) == string(server.SpanId)
		})
	}

	// An order is reserved by its stock, whose events and row belong to the order's trace, too.
	const orderTrace = "0af7651916cd43dd8448eb211c80319c"
	answer, body = p.send(t, http.MethodPost, "/v1/orders", `{"customer_id":"c-1","currency":"GBP",
		"lines":[{"sku":"A1","quantity":1,"unit_price":"2.50"}]}`,
		"Idempotency-Key: traced-order", "Traceparent: 00-"+orderTrace+"-"+client+"-01")
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	for _, name := range []string{"view orders", "view availability_projector", "view availability", "mirror"} {
		receiver.await(name+" of the order", func(s *tracev1.Span) bool {
			return s.Name == name && slices.ContainsFunc(s.Links, func(l *tracev1.Span_Link) bool {
				return hex.EncodeToString(l.TraceId) == orderTrace
			})
		})
	}
	if metrics := p.openMetrics(t); !strings.Contains(metrics, `# {trace_id="`+trace+`"}`) {
		t.Errorf("no exemplar has the trace:\n%s", metrics)
	}
}

// openMetrics are the metrics in the format that has exemplars.
func (p *platform) openMetrics(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(testContext(t), http.MethodGet, p.metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
