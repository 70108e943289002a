// Package command has a row for each command of the API (command.go), turns what clients write into the domain's
// commands, and turns outcomes into what clients read.
//
// It owns names, routes, bodies, idempotency keys and fingerprints. It does not own HTTP beyond methods, paths and
// status numbers. It decides nothing about orders or stock: a command that leaves here is well-formed, and may still
// be refused.
package command

import (
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// Request is one command as it came in, over its own route or on a line of bulk.
type Request struct {
	// Type is the command's name, such as "receive_stock".
	Type string
	// ID is the order ID or SKU; empty for commands that create an order.
	ID string
	// Key is the client's idempotency key; nil: none was sent.
	Key  *string
	Body []byte
	// Principal is who asks for it; zero: nobody knows.
	Principal shard.Principal
	// ExpectedVersion is If-Match; nil: any.
	ExpectedVersion  *uint64
	ReceivedAtMicros int64
	// Tenant scopes the key; empty: orderid.DefaultTenant.
	Tenant string
}

// Parse builds the command to submit. The error is a *problem.Problem. The command keeps r.Body.
func Parse(r Request, opts Options) (*shard.Command, error) {
	c, ok := Lookup(r.Type)
	if !ok {
		return nil, unknownCommand(r.Type)
	}
	key, err := c.CheckKey(r.Key)
	if err != nil {
		return nil, err
	}
	id, err := c.resolveID(&r, key)
	if err != nil {
		return nil, err
	}
	orderCmd, stockCmd, occurredAt, err := Decode(r.Type, id, key, r.Body, r.ReceivedAtMicros, opts)
	if err != nil {
		return nil, err
	}
	if c.Creates {
		if created, own := withOwnID(orderCmd, r.tenant(), key, &opts); own != "" {
			orderCmd, id = created, own
		}
	}
	return &shard.Command{
		Type:             r.Type,
		ID:               id,
		Key:              key,
		Fingerprint:      Fingerprint(r.Type, id, orderCmd, stockCmd, occurredAt),
		Principal:        r.Principal,
		ExpectedVersion:  r.ExpectedVersion,
		ReceivedAtMicros: r.ReceivedAtMicros,
		OccurredAtMicros: occurredAt,
		Order:            orderCmd,
		Stock:            stockCmd,
		Body:             r.Body,
	}, nil
}

// Rebuild makes a command again from what another replica handed over of it, or under the ID that its order had in a
// former layout. The error is a *problem.Problem, and the sender's bug: it has checked the same bytes.
func Rebuild(typ, id, key string, body []byte, receivedAtMicros int64, opts Options) (*shard.Command, error) {
	o, s, occurredAtMicros, err := Decode(typ, id, key, body, receivedAtMicros, opts)
	if err != nil {
		return nil, err
	}
	return &shard.Command{
		Type: typ, ID: id, Key: key, Fingerprint: Fingerprint(typ, id, o, s, occurredAtMicros),
		ReceivedAtMicros: receivedAtMicros, OccurredAtMicros: occurredAtMicros, Order: o, Stock: s, Body: body,
	}, nil
}

// resolveID derives or checks the aggregate's ID.
func (c *Command) resolveID(r *Request, key string) (string, error) {
	switch {
	case c.Creates && r.ExpectedVersion != nil:
		return "", problem.New(problem.InvalidIfMatch, "A new order has no version to match.")
	case c.Creates:
		return orderid.ByKey(r.tenant(), key), nil
	case c.Aggregate == Order:
		id := strings.ToLower(r.ID) // RFC 9562: a UUID is written in lower case, and read in either
		if !orderid.Valid(id) {
			return "", problem.New(problem.OrderNotFound, "No order has this ID: order IDs are UUIDs.")
		}
		return id, nil
	default:
		fault := input.SKUFault(r.ID)
		if c.Type == RegisterItem {
			fault = input.NewSKUFault(r.ID)
		}
		if fault != "" {
			return "", problem.New(problem.InvalidSKU, "The SKU "+fault+".")
		}
	}
	return r.ID, nil
}

func (r *Request) tenant() string {
	if r.Tenant == "" {
		return orderid.DefaultTenant
	}
	return r.Tenant
}

// maxQuotedName bounds how much of an unknown name is repeated in its refusal.
const maxQuotedName = 40

// CheckKey checks an idempotency key, and returns it: required where a repeat would do the thing twice; nil: none was
// sent. The error is a *problem.Problem.
func (c *Command) CheckKey(sent *string) (string, error) {
	switch {
	case sent == nil && !c.Unkeyed:
		return "", problem.New(problem.KeyRequired,
			"Send an Idempotency-Key that you keep for retries of this request.")
	case sent == nil:
		return "", nil
	}
	key := *sent
	if fault := input.KeyFault(key); fault != "" {
		return "", problem.New(problem.InvalidKey, fault)
	}
	return key, nil
}

// unknownCommand refuses a name that no command has, and repeats no more than the start of it.
func unknownCommand(name string) *problem.Problem {
	if len(name) > maxQuotedName {
		name = name[:maxQuotedName] + "…"
	}
	return problem.New(problem.UnknownCommand, "There is no command "+strconv.Quote(name)+".")
}
