package tracing

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	parentTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentSpan  = "00f067aa0ba902b7"
	parent      = "00-" + parentTrace + "-" + parentSpan + "-01"
)

// collect starts a tracer with a collector, calls use, and returns what the collector got. The message that collectors
// take has the same fields as TracesData, which needs no gRPC.
func collect(t *testing.T, use func(*Tracer)) (requests []*tracev1.TracesData, header http.Header) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		sent := &tracev1.TracesData{}
		if err == nil {
			err = proto.Unmarshal(body, sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		requests, header = append(requests, sent), r.Header
	}))
	defer server.Close()
	tracer, err := Start(t.Context(), Config{Service: "order-api", Version: "v1", Endpoint: server.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	use(tracer)
	tracer.Close(t.Context())
	return requests, header
}

// OpenTelemetry's own types read what is sent: nothing is in a field that they do not know.
func TestACollectorReadsTheSpans(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, tenant = shop")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	began := time.Now().Add(-time.Second)
	requests, header := collect(t, func(tracer *Tracer) {
		request := httptest.NewRequest(http.MethodPost, "/v1/orders", nil)
		request.Header.Set(HeaderName, parent)
		ctx, end := tracer.Request(request, "POST /v1/orders")
		own := Parent(ctx)
		if ID(ctx) != parentTrace || !strings.HasPrefix(own, "00-"+parentTrace) || own == parent {
			t.Errorf("the request is %s", own)
		}
		end(http.StatusServiceUnavailable)
		tracer.Committed(own, 2, 7, began, began.Add(time.Millisecond))
		var batch Batch
		for range 2 * maxLinks {
			tracer.Add(&batch, parent)
		}
		tracer.Add(&batch, "none of ours")
		tracer.Processed(&batch, "view orders", 300, began)
		tracer.Processed(&batch, "view orders", 0, began) // it is empty now
	})
	if header.Get("Api-Key") != "a b" || header.Get("Tenant") != "shop" {
		t.Errorf("the headers are %v", header)
	}
	if len(requests) != 1 || len(requests[0].ResourceSpans) != 1 || len(requests[0].ResourceSpans[0].ScopeSpans) != 1 {
		t.Fatalf("the collector got %v", requests)
	}
	if unknown := requests[0].ProtoReflect().GetUnknown(); len(unknown) > 0 {
		t.Errorf("unknown fields: %x", unknown)
	}
	resource := requests[0].ResourceSpans[0]
	about := map[string]string{}
	for _, a := range resource.Resource.Attributes {
		about[a.Key] = a.Value.GetStringValue()
	}
	if about["service.name"] != "order-api" || about["service.version"] != "v1" ||
		about["deployment.environment"] != "test" {
		t.Errorf("the resource is %v", about)
	}
	spans := map[string]*tracev1.Span{}
	for _, s := range resource.ScopeSpans[0].Spans {
		spans[s.Name] = s
		if s.EndTimeUnixNano < s.StartTimeUnixNano || len(s.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%v", s)
		}
	}
	server, commit, view := spans["POST /v1/orders"], spans["commit"], spans["view orders"]
	if len(spans) != 3 || server == nil || commit == nil || view == nil {
		t.Fatalf("the spans are %v", spans)
	}
	if hex.EncodeToString(server.TraceId) != parentTrace || hex.EncodeToString(server.ParentSpanId) != parentSpan ||
		server.Kind != tracev1.Span_SPAN_KIND_SERVER || server.Status.GetCode() != tracev1.Status_STATUS_CODE_ERROR {
		t.Errorf("the request's is %v", server)
	}
	numbers := map[string]int64{}
	for _, a := range append(server.Attributes, commit.Attributes...) {
		numbers[a.Key] = a.Value.GetIntValue()
	}
	if numbers["http.response.status_code"] != 503 || numbers["holdfast.shard"] != 2 ||
		numbers["holdfast.batch.events"] != 7 {
		t.Errorf("the attributes are %v", numbers)
	}
	if !bytes.Equal(commit.ParentSpanId, server.SpanId) || commit.StartTimeUnixNano != uint64(began.UnixNano()) {
		t.Errorf("the commit's is %v", commit)
	}
	if len(view.Links) != maxLinks || hex.EncodeToString(view.Links[0].SpanId) != parentSpan ||
		hex.EncodeToString(view.Links[0].TraceId) != parentTrace || view.Kind != tracev1.Span_SPAN_KIND_CONSUMER {
		t.Errorf("the view's is %v", view)
	}
}

// What the client does not want traced is not, and its records name no trace.
func TestARequestThatIsNotSampledNamesNoTrace(t *testing.T) {
	requests, _ := collect(t, func(tracer *Tracer) {
		request := httptest.NewRequest(http.MethodGet, "/v1/orders", nil)
		request.Header.Set(HeaderName, strings.TrimSuffix(parent, "1")+"0")
		ctx, end := tracer.Request(request, "GET /v1/orders")
		if ID(ctx) != "" || Parent(ctx) != "" {
			t.Errorf("it is traced as %s", ID(ctx))
		}
		end(http.StatusOK)
	})
	if len(requests) != 0 {
		t.Errorf("the collector got %v", requests)
	}
}

// Nothing is traced without a collector, and nobody need ask.
func TestWithoutACollectorNothingIsTraced(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	tracer, err := Start(t.Context(), Config{})
	if tracer != nil || err != nil {
		t.Fatalf("%v, %v", tracer, err)
	}
	var batch Batch
	allocations := testing.AllocsPerRun(100, func() {
		tracer.Add(&batch, parent)
		tracer.Processed(&batch, "view", 1, time.Time{})
		tracer.Committed(parent, 1, 1, time.Time{}, time.Time{})
		if Parent(context.Background()) != "" || ID(context.Background()) != "" {
			t.Error("a context without a span has one")
		}
	})
	tracer.Close(t.Context())
	if allocations != 0 {
		t.Errorf("it allocates %v times", allocations)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if tracer, err := Start(t.Context(), Config{}); tracer != nil || err != nil {
		t.Errorf("%v, %v", tracer, err)
	}
}

func TestWhatIsWrongWithACollectorIsTold(t *testing.T) {
	for endpoint, want := range map[string]string{
		"collector:4318": "such as http://collector:4318", "ftp://collector": "such as http", "http://": "such as http",
		"http://collector:4318": "",
	} {
		if err := CheckEndpoint(endpoint); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(),
			want) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	if _, err := Start(t.Context(), Config{Endpoint: "collector"}); err == nil {
		t.Error("a collector without a URL is taken")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "key")
	if _, err := Start(t.Context(), Config{Endpoint: "http://collector"}); err == nil ||
		!strings.Contains(err.Error(), "name=value") {
		t.Errorf("of headers without values it says %v", err)
	}
}

// A collector that refuses spans is told of, and holds up nothing.
func TestACollectorThatRefusesIsToldOf(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no more", http.StatusTooManyRequests)
	}))
	defer server.Close()
	var log bytes.Buffer
	tracer, err := Start(t.Context(), Config{Endpoint: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	_, end := tracer.Request(httptest.NewRequest(http.MethodGet, "/", nil), "GET /")
	end(http.StatusOK)
	tracer.Close(t.Context())
	if !strings.Contains(log.String(), "traces cannot be sent") || !strings.Contains(log.String(), "429") {
		t.Errorf("the log says %s", log.String())
	}
}
