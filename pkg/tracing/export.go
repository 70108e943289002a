package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// exportTimeout is given to a collector to take a batch; maxAnswerBytes of its answer are read.
const (
	exportTimeout  = 10 * time.Second
	maxAnswerBytes = 1 << 10
)

// exporter sends spans over OTLP/HTTP, as the message ExportTraceServiceRequest of
// github.com/open-telemetry/opentelemetry-proto. The SDK's own exporter does the same, and links gRPC with its gateway
// into every program: 1.2 MB that only order-api has a use for. The test of the message reads it with the types that
// OpenTelemetry generates. A batch that is not taken is lost, and told: traces are samples.
type exporter struct {
	url    string
	header http.Header
	client http.Client
}

// newExporter sends to a URL, with the headers of OTEL_EXPORTER_OTLP_HEADERS: name=value, comma-separated.
func newExporter(endpoint string) (*exporter, error) {
	e := &exporter{url: endpoint, header: http.Header{}, client: http.Client{Timeout: exportTimeout}}
	e.header.Set("Content-Type", "application/x-protobuf")
	for pair := range strings.SplitSeq(os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !found || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: write name=value, comma-separated, with %XX for other " +
				"characters")
		}
		e.header.Set(strings.TrimSpace(name), value)
	}
	return e, nil
}

// ExportSpans implements sdk.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(appendRequest(nil, spans)))
	if err != nil {
		return err
	}
	request.Header = e.header.Clone()
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s: %q", e.url, response.Status, answer)
	}
	return err
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// appendRequest appends an ExportTraceServiceRequest. All spans of a process have one resource and one scope.
func appendRequest(b []byte, spans []sdk.ReadOnlySpan) []byte {
	if len(spans) == 0 {
		return b
	}
	scope := appendText(nil, 1, spans[0].InstrumentationScope().Name)
	scopeSpans := appendMessage(nil, 1, scope)
	for _, s := range spans {
		scopeSpans = appendMessage(scopeSpans, 2, appendSpan(nil, s))
	}
	resource := appendAttributes(nil, 1, spans[0].Resource().Attributes())
	resourceSpans := appendMessage(nil, 1, resource)
	resourceSpans = appendMessage(resourceSpans, 2, scopeSpans)
	return appendMessage(b, 1, resourceSpans)
}

// appendSpan appends a Span. Its kinds have the numbers of the SDK's, which are those of the message.
func appendSpan(b []byte, s sdk.ReadOnlySpan) []byte {
	c := s.SpanContext()
	trace, span := c.TraceID(), c.SpanID()
	b = appendMessage(b, 1, trace[:])
	b = appendMessage(b, 2, span[:])
	if parent := s.Parent().SpanID(); parent.IsValid() {
		b = appendMessage(b, 4, parent[:])
	}
	b = appendText(b, 5, s.Name())
	b = appendNumber(b, 6, uint64(s.SpanKind()))
	b = appendFixed(b, 7, s.StartTime())
	b = appendFixed(b, 8, s.EndTime())
	b = appendAttributes(b, 9, s.Attributes())
	for _, l := range s.Links() {
		trace, span := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		b = appendMessage(b, 13, appendMessage(appendMessage(nil, 1, trace[:]), 2, span[:]))
	}
	if s.Status().Code != 0 {
		// The SDK counts Error as 1 and Ok as 2, the message the other way round.
		b = appendMessage(b, 15, appendNumber(appendText(nil, 2, s.Status().Description), 3, uint64(3-s.Status().Code)))
	}
	return b
}

// appendAttributes appends KeyValues: numbers and texts, which are all that spans have here.
func appendAttributes(b []byte, field protowire.Number, attributes []attribute.KeyValue) []byte {
	for _, a := range attributes {
		var value []byte
		if a.Value.Type() == attribute.INT64 {
			value = appendNumber(nil, 3, uint64(a.Value.AsInt64()))
		} else {
			value = appendText(nil, 1, a.Value.String())
		}
		b = appendMessage(b, field, appendMessage(appendText(nil, 1, string(a.Key)), 2, value))
	}
	return b
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// appendFixed appends a time, in nanoseconds.
func appendFixed(b []byte, field protowire.Number, at time.Time) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(at.UnixNano()))
}
