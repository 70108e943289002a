// Package client is the Go client of Holdfast's API. It has a method for each operation, makes idempotency keys,
// retries under the same key, and returns refusals as *Problem.
//
// The types of bodies and answers are generated from schemas/openapi.yaml. Requests are built here.
package client

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

//go:generate oapi-codegen -config oapi-codegen.yaml ../../schemas/openapi.yaml

// Client is safe for concurrent use.
type Client struct {
	server   string // the base URL, without a slash at its end
	http     *http.Client
	attempts int
	newKey   func() string
	actor    string
	apiKey   string
}

// Option changes a Client.
type Option func(*Client)

// Through replaces the HTTP client, with its transport and limits.
func Through(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithAttempts bounds how often a request is sent. With 1 there are no retries.
func WithAttempts(n int) Option { return func(c *Client) { c.attempts = n } }

// WithKeys replaces the function that makes idempotency keys. By default they are random UUIDs.
func WithKeys(newKey func() string) Option { return func(c *Client) { c.newKey = newKey } }

// WithAPIKey sends an API key with every request. An empty one sends none.
func WithAPIKey(key string) Option { return func(c *Client) { c.apiKey = key } }

// New returns a client of the API at a base URL like http://127.0.0.1:8080.
func New(baseURL string, options ...Option) *Client {
	c := &Client{
		server:   strings.TrimRight(baseURL, "/"),
		http:     &http.Client{Transport: newTransport()},
		attempts: DefaultAttempts,
		newKey:   uuid.NewString,
	}
	for _, option := range options {
		option(c)
	}
	return c
}

// As returns a client that names who asks, in the header Holdfast-Actor of every command: 1 to 100 characters, such as
// "alice@shop.example". It shares its connections with c. An empty name sends no header.
func (c *Client) As(actor string) *Client {
	as := *c
	as.actor = actor
	return &as
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

// Answer is a successful answer: its body and what its headers say.
type Answer[T any] struct {
	Value T
	// Status is the HTTP status. 202 means that the outcome is still to come, at Location.
	Status   int
	Version  uint64
	Position string
	Location string
	// Age is how long ago the view was last at the end of the log. Queries only.
	Age time.Duration
	// More: there are events behind Position already. Of the change feed alone.
	More bool
}

// OrderAnswer is the answer to a command on an order.
type OrderAnswer = Answer[OrderSummary]

// StockAnswer is the answer to a command on stock.
type StockAnswer = Answer[Availability]

// callOptions are the choices for one request.
type callOptions struct {
	key, ifMatch, prefer, minPosition, actor string
	asOf                                     string
	clock                                    Clock
}

// CallOption changes one request.
type CallOption func(*callOptions)

// Key sets the idempotency key, for callers who retry across restarts.
func Key(key string) CallOption { return func(o *callOptions) { o.key = key } }

// IfVersion sends the command only for this version of the order or item. Any other is refused with 412.
func IfVersion(version uint64) CallOption {
	return func(o *callOptions) { o.ifMatch = `"` + strconv.FormatUint(version, 10) + `"` }
}

// Wait bounds the wait for a command's outcome, in whole seconds. With 0 the answer comes once the command is durable.
func Wait(d time.Duration) CallOption {
	return func(o *callOptions) { o.prefer = "wait=" + strconv.Itoa(int(d/time.Second)) }
}

// After makes a query wait until its view has this position. A command's Answer has the position of its events.
func After(position string) CallOption { return func(o *callOptions) { o.minPosition = position } }

// At asks for an order, or for stock, as it was at a moment: a time as RFC 3339 has it, such as 2026-05-04T10:12:00Z,
// or a position.
func At(moment string) CallOption { return func(o *callOptions) { o.asOf = moment } }

// By says by which clock the time of At is meant; without it, Recorded.
func By(clock Clock) CallOption { return func(o *callOptions) { o.clock = clock } }

func (o *callOptions) apply(options []CallOption) {
	for _, option := range options {
		option(o)
	}
}

// ask adds the query parameters that were asked for.
func (o *callOptions) ask(query url.Values) url.Values {
	for name, value := range map[string]string{"as_of": o.asOf, "clock": string(o.clock)} {
		if value == "" {
			continue
		}
		if query == nil {
			query = url.Values{}
		}
		query.Set(name, value)
	}
	return query
}

// set adds the headers that were asked for.
func (o *callOptions) set(header http.Header) {
	for name, value := range map[string]string{
		"Idempotency-Key":       o.key,
		"Holdfast-Actor":        o.actor,
		"If-Match":              o.ifMatch,
		"Prefer":                o.prefer,
		"Holdfast-Min-Position": o.minPosition,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
}
