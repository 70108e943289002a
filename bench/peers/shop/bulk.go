package shop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
)

const (
	// bulkAhead is how many lines of a stream are placed at once, as many as Holdfast takes.
	bulkAhead    = 4_096
	bulkBuffer   = 64 << 10
	maxLineBytes = 1 << 20
)

// The commands of a stream.
const (
	placeOrder   = "place_order"
	registerItem = "register_item"
	receiveStock = "receive_stock"
)

// line is a line of POST /v1/commands.
type line struct {
	ID   string         `json:"id"`
	Type string         `json:"type"`
	SKU  string         `json:"sku"`
	Body jsontext.Value `json:"body"`
}

// result is the answer to a line, which is there when done is closed.
type result struct {
	done   chan struct{}
	answer []byte
}

// commands places the lines of a stream, many at once, and answers them in order.
func (s *api) commands(c echo.Context) error {
	ctx := c.Request().Context()
	control := http.NewResponseController(c.Response())
	// The load generator reads answers while it still sends.
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	c.Response().Header().Set("Content-Type", "application/x-ndjson")
	c.Response().WriteHeader(http.StatusOK)
	results := make(chan *result, bulkAhead)
	go func() {
		defer close(results)
		lines := bufio.NewScanner(c.Request().Body)
		lines.Buffer(make([]byte, bulkBuffer), maxLineBytes)
		for lines.Scan() {
			r := &result{done: make(chan struct{})}
			text := bytes.Clone(lines.Bytes())
			go func() {
				defer close(r.done)
				r.answer = s.command(ctx, text)
			}()
			select {
			case results <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	out := bufio.NewWriterSize(c.Response(), bulkBuffer)
	for {
		var r *result
		var more bool
		select {
		case r, more = <-results:
		default:
			if err := flush(out, control); err != nil {
				return err
			}
			r, more = <-results
		}
		if !more {
			return flush(out, control)
		}
		select {
		case <-r.done:
		default:
			if err := flush(out, control); err != nil { // what is known goes out before the wait
				return err
			}
			<-r.done
		}
		if _, err := out.Write(r.answer); err != nil {
			return err
		}
	}
}

func flush(out *bufio.Writer, control *http.ResponseController) error {
	if out.Buffered() == 0 {
		return nil
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return control.Flush()
}

// command carries out a line and returns its result line.
func (s *api) command(ctx context.Context, text []byte) []byte {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return appendResult(l.ID, http.StatusBadRequest, "problem",
			appendProblem(nil, http.StatusBadRequest, "malformed_json", err.Error()))
	}
	switch l.Type {
	case registerItem:
		return appendResult(l.ID, http.StatusCreated, "", nil)
	case receiveStock:
		var body struct {
			Quantity int64 `json:"quantity"`
		}
		err := json.Unmarshal(l.Body, &body)
		if err == nil {
			err = s.store.Receive(ctx, l.SKU, body.Quantity)
		}
		if err != nil {
			return appendResult(l.ID, http.StatusInternalServerError, "problem",
				appendProblem(nil, http.StatusInternalServerError, "internal", err.Error()))
		}
		return appendResult(l.ID, http.StatusCreated, "", nil)
	case placeOrder:
		status, answer := s.place(ctx, l.ID, l.Body)
		member := "order"
		if status >= http.StatusBadRequest {
			member = "problem"
		}
		return appendResult(l.ID, status, member, answer)
	}
	return appendResult(l.ID, http.StatusBadRequest, "problem",
		appendProblem(nil, http.StatusBadRequest, "unknown_command", "the type of the line is unknown here"))
}

func appendResult(id string, status int, member string, value []byte) []byte {
	b := make([]byte, 0, 64+len(id)+len(value))
	b = appendText(append(b, `{"id":`...), id)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	if member != "" {
		b = append(b, `,"`...)
		b = append(b, member...)
		b = append(b, `":`...)
		b = append(b, value...)
	}
	return append(b, '}', '\n')
}
