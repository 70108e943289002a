package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/go-json-experiment/json"
)

// MaxResultLineBytes bounds a line of results.
const MaxResultLineBytes = 4 << 20

// BulkResults are the results of a stream of commands, in the order of its lines.
type BulkResults struct {
	body  io.ReadCloser
	lines *bufio.Scanner
}

// Bulk sends NDJSON command lines and returns their results while lines are still being sent. Read the results as they
// come: the server reads at most 4,096 lines ahead of them. Bulk retries nothing. A stream that breaks can be sent
// again as a whole, because each line's id is its idempotency key.
func (c *Client) Bulk(ctx context.Context, lines io.Reader) (*BulkResults, error) {
	request, err := c.newRequest(ctx, http.MethodPost, path("commands"), nil, mediaNDJSON, lines)
	if err != nil {
		return nil, err
	}
	said := callOptions{actor: c.actor}
	said.set(request.Header)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
		return nil, problemOf(response, body)
	}
	scanner := bufio.NewScanner(response.Body)
	scanner.Buffer(make([]byte, 0, 64<<10), MaxResultLineBytes)
	return &BulkResults{response.Body, scanner}, nil
}

// NextLine returns the next result as JSON, or io.EOF at the end. It is valid until the next call.
func (r *BulkResults) NextLine() ([]byte, error) {
	if r.lines.Scan() {
		return r.lines.Bytes(), nil
	}
	if err := r.lines.Err(); err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return nil, io.EOF
}

// Next returns the next result, or io.EOF at the end.
func (r *BulkResults) Next() (*ResultLine, error) {
	line, err := r.NextLine()
	if err != nil {
		return nil, err
	}
	result := new(ResultLine)
	if err := json.Unmarshal(line, result); err != nil {
		return nil, fmt.Errorf("decode result: %w", err)
	}
	return result, nil
}

// Close ends the stream.
func (r *BulkResults) Close() error { return r.body.Close() }

// RunCommands streams commands and yields their results in order. A line without an ID gets a new idempotency key. An
// error is the last thing that it yields.
func (c *Client) RunCommands(ctx context.Context, commands iter.Seq[CommandLine]) iter.Seq2[*ResultLine, error] {
	return func(yield func(*ResultLine, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		reader, writer := io.Pipe()
		defer reader.Close()
		go func() { writer.CloseWithError(c.encode(ctx, writer, commands)) }()
		results, err := c.Bulk(ctx, reader)
		if err != nil {
			yield(nil, err)
			return
		}
		defer results.Close()
		for {
			result, err := results.Next()
			if errors.Is(err, io.EOF) || !yield(result, err) || err != nil {
				return
			}
		}
	}
}

// encode writes lines through a buffer. It flushes the buffer when no further line is ready.
func (c *Client) encode(ctx context.Context, to io.Writer, commands iter.Seq[CommandLine]) error {
	lines := make(chan CommandLine, 256)
	go func() {
		defer close(lines)
		for line := range commands {
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	buffered := bufio.NewWriterSize(to, 64<<10)
	for {
		var line CommandLine
		var more bool
		select {
		case line, more = <-lines:
		default:
			if err := buffered.Flush(); err != nil {
				return err
			}
			line, more = <-lines
		}
		if !more {
			return buffered.Flush()
		}
		if line.ID == "" {
			line.ID = c.newKey()
		}
		if err := json.MarshalWrite(buffered, line); err != nil {
			return fmt.Errorf("encode command: %w", err)
		}
		if err := buffered.WriteByte('\n'); err != nil {
			return err
		}
	}
}
