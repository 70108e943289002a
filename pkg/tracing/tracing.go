// Package tracing sends spans to a collector of OpenTelemetry, over OTLP/HTTP: one for each HTTP request, for the
// commit of each traced command, and for each batch of events that a view or the mirror takes, with links to the
// requests that the events come from. It owns the words of spans, and how a trace goes through the log: as the header
// traceparent of records, which the W3C's Trace Context defines. Steps between shards have a field of that name.
//
// Nothing is traced unless a collector is named. A nil *Tracer is one that traces nothing.
package tracing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// HeaderName is the header of HTTP requests and of records that names a span.
const HeaderName = "traceparent"

// maxLinks of one span; a batch may have the events of many requests.
const maxLinks = 128

// closeTimeout is given to the collector to take the last spans.
const closeTimeout = 3 * time.Second

// tracesPath is where a collector takes traces, below the endpoint.
const tracesPath = "/v1/traces"

// Config says where spans go.
type Config struct {
	// Service and Version are what sends them.
	Service, Version string
	// Endpoint is the collector's URL, as OTEL_EXPORTER_OTLP_ENDPOINT has it; empty: what that variable says.
	Endpoint string
	Logger   *slog.Logger
}

// Tracer makes spans. Its methods may be called on nil.
type Tracer struct {
	logger     *slog.Logger
	tracer     trace.Tracer
	provider   *sdk.TracerProvider
	propagator propagation.TraceContext
}

// CheckEndpoint says what is wrong with a collector's URL.
func CheckEndpoint(endpoint string) error {
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("URL %q is none such as http://collector:4318", endpoint)
	}
	return nil
}

// Start returns a tracer; nil where no collector is named. The SDK's own variables count too: OTEL_TRACES_SAMPLER says
// which requests are traced, OTEL_EXPORTER_OTLP_HEADERS who sends.
func Start(ctx context.Context, cfg Config) (*Tracer, error) {
	endpoint := cmp.Or(cfg.Endpoint, os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	if endpoint == "" || os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return nil, nil
	}
	if err := CheckEndpoint(endpoint); err != nil {
		return nil, fmt.Errorf("traces: the collector's %w", err)
	}
	exporter, err := newExporter(strings.TrimSuffix(endpoint, "/") + tracesPath)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { notSent(cfg.Logger, err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Tracer{logger: cfg.Logger, tracer: provider.Tracer("github.com/holdfast/holdfast"), provider: provider}, nil
}

func notSent(logger *slog.Logger, err error) {
	logger.Warn("traces cannot be sent; nothing else is concerned", "error", err)
}

// Close sends what is left. A collector that does not take it changes nothing.
func (t *Tracer) Close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		notSent(t.logger, err)
	}
}

// Request begins the span of an HTTP request, below the span that the client names. end must be called with the
// answer's status.
func (t *Tracer) Request(r *http.Request, route string) (ctx context.Context, end func(status int)) {
	parent := t.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(parent, route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", route),
		attribute.String("url.path", r.URL.Path),
	))
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		span.End()
	}
}

// ID is the ID of the trace that a context belongs to; "": none that is sampled.
func ID(ctx context.Context) string {
	if s := trace.SpanContextFromContext(ctx); s.IsSampled() {
		return s.TraceID().String()
	}
	return ""
}

// Parent is the context's span as the header traceparent has it; "": none that is sampled.
func Parent(ctx context.Context) string {
	s := trace.SpanContextFromContext(ctx)
	if !s.IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[HeaderName]
}

// contextOf is the context of a span that a header names.
func (t *Tracer) contextOf(parent string) context.Context {
	return t.propagator.Extract(context.Background(), propagation.MapCarrier{HeaderName: parent})
}

// Committed makes the span of a command's commit, which has just ended.
func (t *Tracer) Committed(parent string, shard int32, events int, began, ended time.Time) {
	if t == nil || parent == "" {
		return
	}
	_, span := t.tracer.Start(t.contextOf(parent), "commit", trace.WithTimestamp(began), trace.WithAttributes(
		attribute.Int("holdfast.shard", int(shard)), attribute.Int("holdfast.batch.events", events),
	))
	span.End(trace.WithTimestamp(ended))
}

// Batch is what a batch of records goes back to. The zero value is one of no records.
type Batch struct{ links []trace.Link }

// Add adds a record by its header traceparent, unless there are enough.
func (t *Tracer) Add(b *Batch, parent string) {
	if t == nil || parent == "" || len(b.links) == maxLinks {
		return
	}
	if s := trace.SpanContextFromContext(t.contextOf(parent)); s.IsValid() {
		b.links = append(b.links, trace.Link{SpanContext: s})
	}
}

// Processed makes the span of a batch that was begun then and has just ended, if any of its records is traced, and
// empties it. name says what was done, as "view orders".
func (t *Tracer) Processed(b *Batch, name string, records int, began time.Time) {
	if t == nil || len(b.links) == 0 {
		return
	}
	_, span := t.tracer.Start(context.Background(), name, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(b.links...), trace.WithTimestamp(began),
		trace.WithAttributes(attribute.Int("messaging.batch.message_count", records)))
	span.End()
	b.links = nil
}
