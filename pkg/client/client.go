// Package client talks to Holdfast's API. It makes idempotency keys by itself, retries what is safe to
// retry under the same key, and returns refusals as *Problem.
//
// Requests and types are generated from schemas/openapi.yaml; this package adds what a generator cannot
// know: keys, retries, and the bulk stream.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config oapi-codegen.yaml ../../schemas/openapi.yaml

// Limits of retries and answers.
const (
	DefaultAttempts = 8
	MinBackoff      = 50 * time.Millisecond
	MaxBackoff      = 3 * time.Second
	// MaxAnswerBytes bounds an answer that is not a stream.
	MaxAnswerBytes = 64 << 20
)

// Client is safe for concurrent use.
type Client struct {
	server   string
	http     *http.Client
	attempts int
	newKey   func() string
}

// Option changes a Client.
type Option func(*Client)

// Through replaces the HTTP client: its transport and limits.
func Through(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithAttempts bounds how often a request is sent; 1: no retries.
func WithAttempts(n int) Option { return func(c *Client) { c.attempts = n } }

// WithKeys replaces the maker of idempotency keys, by default random UUIDs.
func WithKeys(newKey func() string) Option { return func(c *Client) { c.newKey = newKey } }

// New returns a client of the API at a base URL like http://127.0.0.1:8080.
func New(baseURL string, options ...Option) *Client {
	c := &Client{
		server:   strings.TrimRight(baseURL, "/") + "/",
		http:     &http.Client{Transport: newTransport()},
		attempts: DefaultAttempts,
		newKey:   uuid.NewString,
	}
	for _, option := range options {
		option(c)
	}
	return c
}

// newTransport keeps as many idle connections to one host as callers are likely to use at once.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConns:        1_024,
		MaxIdleConnsPerHost: 1_024,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}
}

// Answer is what the API said, and what it said about it.
type Answer[T any] struct {
	Value T
	// Status is the HTTP status: 202 means that the outcome is still to come, at Location.
	Status   int
	Version  uint64
	Position string
	Location string
	// Age is how long ago a view last stood at the end of the log; queries only.
	Age time.Duration
}

// call is one request's choices.
type call struct {
	key, ifMatch, prefer, minPosition string
}

// CallOption changes one request.
type CallOption func(*call)

// Key sets the idempotency key, for callers who retry across restarts.
func Key(key string) CallOption { return func(c *call) { c.key = key } }

// IfVersion asks that the order or item still has this version.
func IfVersion(version uint64) CallOption {
	return func(c *call) { c.ifMatch = `"` + strconv.FormatUint(version, 10) + `"` }
}

// Wait bounds the wait for a command's outcome, in whole seconds; 0: answer once it is durable.
func Wait(d time.Duration) CallOption {
	return func(c *call) { c.prefer = "wait=" + strconv.Itoa(int(d/time.Second)) }
}

// After asks a query for a view that has at least this position, which a command's Answer carries.
func After(position string) CallOption { return func(c *call) { c.minPosition = position } }

func (c *Client) options(options []CallOption) call {
	var o call
	for _, option := range options {
		option(&o)
	}
	if o.key == "" {
		o.key = c.newKey()
	}
	return o
}

// set adds the headers that were asked for.
func (o call) set(header http.Header) {
	for name, value := range map[string]string{
		"Idempotency-Key": o.key, "If-Match": o.ifMatch, "Prefer": o.prefer, "Holdfast-Min-Position": o.minPosition,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
}

// builder makes the generated request around a body.
type builder func(body io.Reader) (*http.Request, error)

// send does a request until it has an answer that no retry would better. Every request here is safe to
// repeat: it reads, it is a PUT, or it carries a key.
func send[T any](ctx context.Context, c *Client, o call, body any, build builder) (*Answer[T], error) {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode body: %w", err)
		}
	}
	for attempt := 1; ; attempt++ {
		request, err := build(bytes.NewReader(encoded))
		if err != nil {
			return nil, fmt.Errorf("build request: %w", err)
		}
		o.set(request.Header)
		answer, err := once[T](c.http, request.WithContext(ctx))
		if err == nil || attempt >= c.attempts || !retryable(ctx, err) {
			return answer, err
		}
		if err := pause(ctx, attempt, err); err != nil {
			return nil, err
		}
	}
}

func once[T any](h *http.Client, request *http.Request) (*Answer[T], error) {
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
	}
	answer.Version, _ = strconv.ParseUint(strings.Trim(response.Header.Get("Etag"), `"`), 10, 64)
	if ms, err := strconv.ParseInt(response.Header.Get("Holdfast-Age-Ms"), 10, 64); err == nil {
		answer.Age = time.Duration(ms) * time.Millisecond
	}
	if err := json.Unmarshal(body, &answer.Value); err != nil {
		return nil, fmt.Errorf("decode answer: %w", err)
	}
	return answer, nil
}

func retryable(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable
	}
	return true // the connection broke: the command may have been done or not
}

// pause backs off, longer each time, with jitter; a server's Retry-After is a lower bound.
func pause(ctx context.Context, attempt int, err error) error {
	backoff := min(MinBackoff<<min(attempt-1, 10), MaxBackoff)
	backoff = backoff/2 + rand.N(backoff/2+1)
	if p, ok := errors.AsType[*Problem](err); ok {
		backoff = max(backoff, min(p.RetryAfter, MaxBackoff))
	}
	timer := time.NewTimer(backoff)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
