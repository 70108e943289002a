package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// AskCSV copies the whole answer of an insight to out, as CSV with a heading, and returns how many rows there are
// behind it. Limit and Cursor of the question must not be set.
//
// An error after the first bytes means that the answer broke off: what out has is not all of it. The number of rows
// comes behind the last one, as a trailer of HTTP; it is -1 where a proxy drops trailers.
func (c *Client) AskCSV(
	ctx context.Context, insight string, q Question, out io.Writer, options ...CallOption,
) (rows int, err error) {
	return c.copyCSV(ctx, q.request(insight), out, options)
}

// ItemsCSV is to Items what AskCSV is to Ask.
func (c *Client) ItemsCSV(
	ctx context.Context, filter ItemFilter, out io.Writer, options ...CallOption,
) (rows int, err error) {
	return c.copyCSV(ctx, filter.request(), out, options)
}

// OrdersCSV is to Orders what AskCSV is to Ask.
func (c *Client) OrdersCSV(
	ctx context.Context, filter OrderFilter, out io.Writer, options ...CallOption,
) (rows int, err error) {
	return c.copyCSV(ctx, filter.request(), out, options)
}

// RevenueCSV is to Revenue what AskCSV is to Ask.
func (c *Client) RevenueCSV(
	ctx context.Context, filter ReportFilter, out io.Writer, options ...CallOption,
) (rows int, err error) {
	return c.copyCSV(ctx, filter.request("revenue"), out, options)
}

// StockMovementsCSV is to StockMovements what AskCSV is to Ask.
func (c *Client) StockMovementsCSV(
	ctx context.Context, filter ReportFilter, out io.Writer, options ...CallOption,
) (rows int, err error) {
	return c.copyCSV(ctx, filter.request("stock-movements"), out, options)
}

// copyCSV sends the request again as long as it has no answer. An answer that breaks off is not asked for again: out
// has a part of it.
func (c *Client) copyCSV(ctx context.Context, r request, out io.Writer, options []CallOption) (rows int, err error) {
	r.apply(options)
	r.accept = "text/csv"
	request, err := c.httpRequest(ctx, &r)
	if err != nil {
		return 0, err
	}
	var response *http.Response
	err = c.retried(ctx, func(func()) (err error) {
		response, err = c.openCSV(fresh(request)) //nolint:bodyclose // receiveCSV closes it
		return err
	})
	if err != nil {
		return 0, err
	}
	return receiveCSV(response, out)
}

func (c *Client) openCSV(request *http.Request) (*http.Response, error) {
	response, err := c.http.Do(request)
	if err != nil || response.StatusCode < http.StatusMultipleChoices {
		return response, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return nil, problemOf(response, body)
}

func receiveCSV(response *http.Response, out io.Writer) (rows int, err error) {
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/csv") {
		return 0, fmt.Errorf("the answer is %q, not CSV: query-api is older than this program, upgrade it first", kind)
	}
	broken := &brokenAnswer{from: response.Body}
	switch n, err := io.Copy(out, broken); {
	case broken.err != nil:
		return 0, fmt.Errorf("the answer broke off after %d bytes, and has more rows: %w", n, broken.err)
	case err != nil:
		return 0, fmt.Errorf("write the answer: %w", err)
	}
	if rows, err = strconv.Atoi(response.Trailer.Get("Holdfast-Rows")); err != nil {
		return -1, nil
	}
	return rows, nil
}

// brokenAnswer remembers why an answer could not be read, which is another fault than one in writing it.
type brokenAnswer struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (b *brokenAnswer) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
