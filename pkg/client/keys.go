package client

import (
	"context"
	"net/http"
)

// CreateKey makes an API key. Its text is in Key of the answer, and nobody can read it later.
func (c *Client) CreateKey(ctx context.Context, key NewKey, options ...CallOption) (*Answer[APIKey], error) {
	return command[APIKey](ctx, c, request{method: http.MethodPost, path: path("keys"), body: key}, options)
}

// Keys lists all API keys, without their secrets.
func (c *Client) Keys(ctx context.Context) (*Answer[KeyList], error) {
	return query[KeyList](ctx, c, request{method: http.MethodGet, path: path("keys")}, nil)
}

// RevokeKey revokes an API key.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := command[struct{}](ctx, c, request{method: http.MethodDelete, path: path("keys", id)}, nil)
	return err
}
