package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// MaxAnswerBytes bounds an answer that is not a stream.
const MaxAnswerBytes = 64 << 20

// Media types of request bodies.
const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/x-ndjson"
)

// request is a request to the API. It can be sent several times, each time with the same key.
type request struct {
	method string
	path   string // escaped
	query  url.Values
	body   any // encoded as JSON; nil: none
	// accept is the media type of the answer; empty: JSON.
	accept string
	callOptions
}

// path is the path of a resource. A segment may contain any character: path("stock", "A/1") is "/v1/stock/A%2F1".
func path(segments ...string) string {
	var b strings.Builder
	b.WriteString("/v1")
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// changeOrder sends a command on an order.
func (c *Client) changeOrder(ctx context.Context, path string, body any, options []CallOption) (*OrderAnswer, error) {
	return command[OrderSummary](ctx, c, request{method: http.MethodPost, path: path, body: body}, options)
}

// changeStock sends a command on a stock item. The method is PUT where the command sets a value.
func (c *Client) changeStock(
	ctx context.Context, method, path string, body any, options []CallOption,
) (*StockAnswer, error) {
	return command[Availability](ctx, c, request{method: method, path: path, body: body}, options)
}

// command sends a command. It gets an idempotency key if the options have none.
func command[T any](ctx context.Context, c *Client, r request, options []CallOption) (*Answer[T], error) {
	r.apply(options)
	if r.key == "" {
		r.key = c.newKey()
	}
	r.actor = c.actor
	return send[T](ctx, c, &r)
}

// query reads a view. It needs no key.
func query[T any](ctx context.Context, c *Client, r request, options []CallOption) (*Answer[T], error) {
	r.apply(options)
	return send[T](ctx, c, &r)
}

// newRequest builds an HTTP request to the API.
func (c *Client) newRequest(
	ctx context.Context, method, path string, query url.Values, mediaType string, body io.Reader,
) (*http.Request, error) {
	address := c.server + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", mediaType)
	}
	if c.apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+c.apiKey)
	}
	return request, nil
}

// send sends a request until it has an answer that no retry could change. Every request is safe to repeat: it only
// reads, it is a PUT, or it has an idempotency key.
func send[T any](ctx context.Context, c *Client, r *request) (answer *Answer[T], err error) {
	request, err := c.httpRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	err = c.retried(ctx, func(func()) (err error) {
		answer, err = exchange[T](c.http, fresh(request))
		return err
	})
	return answer, err
}

// httpRequest makes the request as HTTP has it.
func (c *Client) httpRequest(ctx context.Context, r *request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encode body: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	request, err := c.newRequest(ctx, r.method, r.path, r.ask(r.query), mediaJSON, body)
	if err != nil {
		return nil, err
	}
	r.set(request.Header)
	if r.accept != "" {
		request.Header.Set("Accept", r.accept)
	}
	return request, nil
}

// fresh is the same request with a body that nobody has read yet.
func fresh(request *http.Request) *http.Request {
	again := request.WithContext(request.Context())
	if request.GetBody != nil {
		again.Body, _ = request.GetBody() // that of a bytes.Reader has no error
	}
	return again
}

// exchange sends a request once and reads its answer.
func exchange[T any](h *http.Client, request *http.Request) (*Answer[T], error) {
	response, err := h.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, problemOf(response, body)
	}
	answer := &Answer[T]{
		Status:   response.StatusCode,
		Position: response.Header.Get("Holdfast-Position"),
		Location: response.Header.Get("Location"),
		More:     response.Header.Get("Holdfast-More") == "true",
	}
	answer.Version, _ = strconv.ParseUint(strings.Trim(response.Header.Get("Etag"), `"`), 10, 64)
	if ms, err := strconv.ParseInt(response.Header.Get("Holdfast-Age-Ms"), 10, 64); err == nil {
		answer.Age = time.Duration(ms) * time.Millisecond
	}
	if text, ok := any(&answer.Value).(*Raw); ok {
		*text = Raw{Body: body, NextCursor: response.Header.Get("Holdfast-Next-Cursor")}
		return answer, nil
	}
	if response.StatusCode == http.StatusNoContent {
		return answer, nil
	}
	if err := json.Unmarshal(body, &answer.Value); err != nil {
		return nil, fmt.Errorf("decode answer: %w", err)
	}
	return answer, nil
}
