package retail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast/holdfast/pkg/client"
)

// APISender sends commands over POST /v1/commands.
type APISender struct {
	Client *client.Client
}

// commandLine is client.CommandLine with a body that is encoded already.
type commandLine struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	SKU  string          `json:"sku,omitempty"`
	Body json.RawMessage `json:"body"`
}

// Send implements Sender.
func (s APISender) Send(ctx context.Context, commands []Command) ([]Result, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	for _, c := range commands {
		if err := encoder.Encode(commandLine{c.Key, c.Type, c.SKU, c.Body}); err != nil {
			return nil, fmt.Errorf("encode %s: %w", c.Key, err)
		}
	}
	stream, err := s.Client.Bulk(ctx, &body)
	if err != nil {
		return nil, fmt.Errorf("send commands: %w", err)
	}
	defer stream.Close()
	results := make([]Result, 0, len(commands))
	for {
		line, err := stream.NextLine()
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return results, err
		}
		// Most of a result is of no interest here: a narrow type makes decoding cheap.
		var r struct {
			ID      string
			Status  int
			Problem struct{ Code, Detail string }
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return results, fmt.Errorf("decode result: %w", err)
		}
		if len(results) == len(commands) || r.ID != commands[len(results)].Key {
			// A line without a command's key says why the stream ends.
			return results, fmt.Errorf("the stream ended: %s: %s", r.Problem.Code, r.Problem.Detail)
		}
		results = append(results, Result{Status: r.Status, Code: r.Problem.Code, Detail: r.Problem.Detail})
	}
}
