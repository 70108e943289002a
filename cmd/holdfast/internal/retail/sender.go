package retail

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/holdfast/holdfast/pkg/client"
)

// APISender sends commands with POST /v1/commands.
type APISender struct {
	Client *client.Client
}

// commandLine is a client.CommandLine whose body is already encoded.
type commandLine struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	SKU  string          `json:"sku,omitempty"`
	Body json.RawMessage `json:"body"`
}

// Send implements Sender.
func (s APISender) Send(ctx context.Context, commands []Command) ([]client.Outcome, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	ids := make([]string, len(commands))
	for i, c := range commands {
		ids[i] = c.Key
		if err := encoder.Encode(commandLine{c.Key, c.Type, c.SKU, c.Body}); err != nil {
			return nil, fmt.Errorf("encode %s: %w", c.Key, err)
		}
	}
	return s.Client.Outcomes(ctx, ids, &body)
}
