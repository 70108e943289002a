// Package shard is the write runtime: it owns shards, restores them from the log, decides commands
// in batches of one transaction each, and carries the steps between an order and its stock.
//
// It does not know HTTP or JSON; commands come in typed, with their JSON kept only to hand it to
// another replica.
package shard

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// Command is one command on one aggregate: an order (Order set) or a stock item (Stock set).
type Command struct {
	// Type is the API's name of the command: "place_order", "receive_stock", …
	Type string
	// ID is the order ID or the SKU.
	ID string
	// Key is the client's Idempotency-Key; empty only for PUT, which is idempotent by itself.
	Key string
	// Fingerprint is the start of SHA-256 over type, ID and canonical body.
	Fingerprint [16]byte
	// ExpectedVersion is If-Match; nil: any.
	ExpectedVersion  *uint64
	ReceivedAtMicros int64
	// OccurredAtMicros is when it happened in the shop; 0: when it was received.
	OccurredAtMicros int64
	Order            order.Command
	Stock            inventory.Command
	// Body is the JSON as the client wrote it.
	Body []byte
}

// Result answers a command. Code "" means done; other codes are those of the API's problems.
type Result struct {
	Code    string   `json:"code,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Pointer string   `json:"pointer,omitempty"`
	Status  string   `json:"status,omitempty"`
	Allowed []string `json:"allowed,omitempty"`
	Version uint64   `json:"version,omitempty"`
	// OnHand goes with count_outdated: what the location has.
	OnHand *int64            `json:"on_hand,omitempty"`
	Short  []order.ShortLine `json:"short,omitempty"`
	// Position is how far a read must have got to include the answer.
	Position eventlog.Position `json:"-"`
	// Order is set for order commands that were done, and for orders rejected or still open.
	Order *OrderSummary `json:"order,omitempty"`
	// Stock is set for stock commands that were done.
	Stock *StockSummary `json:"stock,omitempty"`
	// Repeated: the command was done before, under the same key. An order's outcome that was waited for has no such mark.
	Repeated bool `json:"repeated,omitempty"`
	// RetryAfterSeconds goes with too_many_requests and unavailable.
	RetryAfterSeconds int `json:"retry_after_seconds,omitempty"`
}

// Codes that this package gives; the rules' own codes pass through.
const (
	CodeUnavailable     = "unavailable"            // 503: no owner, or a commit that is unclear: retry with the same key
	CodeTooManyRequests = "too_many_requests"      // 429: the shard's queue is full, or too many orders wait for other shards
	CodeKeyReused       = "idempotency_key_reused" // 422: same key, another body
	CodeVersionMismatch = "version_mismatch"       // 412: If-Match names another version; Version has the current one
	CodeOrderNotFound   = "order_not_found"        // 404
	CodeUnknownSKU      = "unknown_sku"            // 404 for stock commands, 409 for orders (with Short)
	CodeInsufficient    = "insufficient_stock"     // 409 with Short
	CodeTooLarge        = "command_too_large"      // 413: its events would not fit into a record
	// CodeAmendmentDeclined: 409: an amendment came to nothing, for another reason than stock, or one that is not kept.
	CodeAmendmentDeclined = "amendment_declined"
)

// OrderSummary is an order as a command left it.
type OrderSummary struct {
	ID               string `json:"id"`
	Version          uint64 `json:"version"`
	Status           string `json:"status"`
	PaymentStatus    string `json:"payment_status"`
	FulfilmentStatus string `json:"fulfilment_status,omitempty"` // none for a credit note
	Currency         string `json:"currency"`
	TotalMicros      int64  `json:"total_micros"`
	ReturnStatus     string `json:"return_status"`
	FulfilmentID     string `json:"fulfilment_id,omitempty"`
	ReturnID         string `json:"return_id,omitempty"`
	Backordered      bool   `json:"backordered,omitempty"`
}

// StockSummary is an item as a command left it.
type StockSummary struct {
	SKU            string                    `json:"sku"`
	Description    string                    `json:"description"`
	Version        uint64                    `json:"version"`
	BackorderLimit int64                     `json:"backorder_limit"`
	Total          inventory.Level           `json:"total"`
	Locations      []inventory.LocationLevel `json:"locations"`
	// TransferID names the transfer that the command sent on its way.
	TransferID string `json:"transfer_id,omitempty"`
}
