package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Message is a message of a stream.
type Message[T any] struct {
	// ID is a position: a stream that begins with it as after goes on behind the message.
	ID string
	// Event is what has changed, such as "order_confirmed"; "order" of an order as it is; "availability" of a row.
	Event string
	Value T
}

// StreamOrder streams an order: as it is, and then after each of its events. With after, a position, it goes on behind
// that. A stream that breaks or that the server ends is opened again where it was, however long that takes. It ends
// with ctx, with a refusal that no retry can change, or where not even the first message comes (WithAttempts).
func (c *Client) StreamOrder(ctx context.Context, orderID, after string) iter.Seq2[*Message[Order], error] {
	return stream[Order](ctx, c, path("orders", orderID, "stream"), url.Values{}, after)
}

// OrderStream selects orders to stream. Zero values select all.
type OrderStream struct {
	// After is a position, "start" or "now"; empty: now.
	After      string
	CustomerID string
	Status     OrderStatus
}

// StreamOrders is StreamOrder of all orders, or of those that the filter selects after the event.
func (c *Client) StreamOrders(ctx context.Context, filter OrderStream) iter.Seq2[*Message[Order], error] {
	query := parameters(0, map[string]string{"customer_id": filter.CustomerID, "status": string(filter.Status)})
	return stream[Order](ctx, c, path("orders", "stream"), query, filter.After)
}

// StockStream selects rows to stream. Zero values select all.
type StockStream struct {
	// After is a position, "start", "here" or "now"; empty: here with SKUs, now without.
	After string
	SKUs  []string
	// Location is one that the items have, or have had.
	Location string
	// Below selects the items of which less can be sold, at Location where that is set; 0: any.
	Below int64
}

// StreamAvailability is StreamOrder of rows of stock.
func (c *Client) StreamAvailability(ctx context.Context, filter StockStream) iter.Seq2[*Message[Availability], error] {
	query := parameters(0, map[string]string{"skus": strings.Join(filter.SKUs, ","), "location": filter.Location})
	if filter.Below != 0 {
		query.Set("below", strconv.FormatInt(filter.Below, 10))
	}
	return stream[Availability](ctx, c, path("availability", "stream"), query, filter.After)
}

// StreamEndedError says why the server has ended a stream.
type StreamEndedError struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Error implements error.
func (e *StreamEndedError) Error() string { return "the stream has ended: " + e.Code + ": " + e.Detail }

// errNoMore ends a stream whose reader wants no more.
var errNoMore = fmt.Errorf("no more is wanted: %w", io.EOF)

// stream yields messages, and opens the stream again behind the last one whenever it ends.
func stream[T any](
	ctx context.Context, c *Client, path string, query url.Values, after string,
) iter.Seq2[*Message[T], error] {
	return func(yield func(*Message[T], error) bool) {
		wanted, c := true, new(*c)
		err := c.retried(ctx, func(works func()) error {
			if after != "" {
				query.Set("after", after)
			}
			err := streamOnce(ctx, c, path, query, func(m *Message[T], data []byte) error {
				works()
				c.attempts = math.MaxInt
				if len(data) == 0 {
					after = m.ID // a position alone
					return nil
				}
				if err := json.Unmarshal(data, &m.Value); err != nil {
					return fmt.Errorf("decode a message: %w: %w", errNotUnderstood, err)
				}
				after = m.ID
				if wanted = yield(m, nil); !wanted {
					return errNoMore
				}
				return nil
			})
			if !wanted {
				return nil
			}
			return err
		})
		if wanted && err != nil {
			yield(nil, err)
		}
	}
}

// streamOnce reads one stream to its end, which is always an error. each gets the messages, and positions without one.
func streamOnce[T any](
	ctx context.Context, c *Client, path string, query url.Values, each func(m *Message[T], data []byte) error,
) error {
	request, err := c.newRequest(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		return problemOf(response, body)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, MaxAnswerBytes)
	m, data := &Message[T]{}, []byte(nil)
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(name) {
		case "id":
			m.ID = string(value)
		case "event":
			m.Event = string(value)
		case "data":
			data = bytes.Clone(value)
		case "":
			if len(lines.Bytes()) > 0 {
				continue // a comment
			}
			if m.Event == "end" {
				return endOf(data)
			}
			if m.ID != "" {
				if err := each(m, data); err != nil {
					return err
				}
			}
			m, data = &Message[T]{}, nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

func endOf(data []byte) error {
	end := &StreamEndedError{}
	if err := json.Unmarshal(data, end); err != nil {
		return fmt.Errorf("decode the end of a stream: %w: %w", errNotUnderstood, err)
	}
	return end
}
