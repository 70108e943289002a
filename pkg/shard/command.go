// Package shard is the write runtime: it owns shards, restores them from the log, decides commands in batches of one
// transaction each, and carries the steps between an order and its stock.
//
// It knows neither HTTP nor JSON. Commands come in typed; their JSON is kept only to hand it to another replica. The
// rules are those of package order and package inventory.
package shard

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
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
	// Principal is who asks for it; zero: nobody knows. The fingerprint leaves it out: a key that comes again is a repeat,
	// whoever sends it, and the events keep who asked first.
	Principal Principal
	// TraceParent is the span of its request, as the header traceparent has it; empty: nobody traces it. Its events have
	// it as a header.
	TraceParent string
	// ExpectedVersion is If-Match; nil: any. For an order it is a version that clients see (order.Visible).
	ExpectedVersion  *uint64
	ReceivedAtMicros int64
	// OccurredAtMicros is when it happened in the shop; 0: when it was received.
	OccurredAtMicros int64
	Order            order.Command
	Stock            inventory.Command
	// Body is the JSON as the client wrote it.
	Body []byte
	// Stream tells apart the streams of many commands, which take turns with each other and with all others; 0: it did not
	// come on one.
	Stream uint64
	// Heard is what the replica that took the request had heard by then; nil: what it has heard when it submits it.
	Heard *Heard
	// heard is that of the command's shard, as an offset of holdfast.shards.
	heard int64
	// lookUp: the command is for the order that its key has placed in the shard, or that its ID stands for; where there is
	// none, it is not decided (Result.NotPlaced).
	lookUp bool
	// stockAsked: stock of other shards has said what is there of what the command ships.
	stockAsked bool
	// takenIn is the generation of the layout when its replica took it; 0: another replica did.
	takenIn uint32
}

// Principal is who asks for a command, as the events of the command have it.
type Principal = codec.Principal

// isOrder tells the two kinds of command apart.
func (cmd *Command) isOrder() bool { return cmd.Order != nil }

// Result answers a command. Code "" means done. Other codes are those of package problem: what the rules refuse, and
// what this package answers by itself, such as problem.Unavailable while no owner is known.
type Result struct {
	Code   string
	Detail string
	// Pointer names the field of the body that the problem is about, such as "/lines/0/quantity".
	Pointer string
	// Status is the order's where it forbids the command, and Allowed the commands that it allows.
	Status  string
	Allowed []string
	// Version of the aggregate, as clients see it.
	Version uint64
	// OnHand goes with count_outdated: what the location has.
	OnHand *int64
	// Short are the lines that stock cannot cover.
	Short []order.ShortLine
	// Position is how far a read must have got to include the answer.
	Position eventlog.Position
	// Order is set for order commands that were done, and for orders rejected or still open.
	Order *OrderSummary
	// Stock is set for stock commands that were done.
	Stock *StockSummary
	// Repeated: the command was done before, under the same key. An order's outcome that was waited for has no such mark.
	Repeated bool
	// RetryAfterSeconds goes with too_many_requests and unavailable.
	RetryAfterSeconds int
	// NotPlaced: the shard does not have the order that a command looks up.
	NotPlaced bool
	// HandedOver goes with unavailable: the shard changes hands, and the command may be sent to its next owner.
	HandedOver bool
}

// OrderSummary is an order as a command left it.
type OrderSummary struct {
	ID               string
	Number           uint64 // 0: a replica of an earlier release, which knows no numbers, has answered
	Version          uint64
	Status           string
	PaymentStatus    string
	FulfilmentStatus string // none for a credit note
	Currency         string
	TotalMicros      int64
	ReturnStatus     string
	FulfilmentID     string
	ReturnID         string
	Backordered      bool
}

// StockSummary is an item as a command left it.
type StockSummary struct {
	SKU            string
	Description    string
	Version        uint64
	BackorderLimit int64
	Total          inventory.Level
	Locations      []inventory.LocationLevel
	// TransferID names the transfer that the command sent on its way.
	TransferID string
}
