// Package command turns what clients write into the domain's commands, and refusals into what clients
// read: strict JSON, limits, idempotency keys, fingerprints, and the table of problem codes.
//
// It does not know HTTP beyond status numbers, and decides nothing about orders or stock: a command that
// leaves here is well-formed, not yet allowed.
package command

import (
	"strconv"

	"github.com/holdfast/holdfast/pkg/shard"
)

// Request is one command as it came in, over its own route or on a line of bulk.
type Request struct {
	Type string
	// ID is the order ID or SKU; empty for commands that create an order.
	ID string
	// Key is the client's idempotency key.
	Key  string
	Body []byte
	// ExpectedVersion is If-Match; nil: any.
	ExpectedVersion  *uint64
	ReceivedAtMicros int64
	// Tenant scopes the key; empty: DefaultTenant.
	Tenant string
}

// Parse builds the command to submit. Errors are a *Problem. The command keeps r.Body.
func Parse(r Request, opts Options) (*shard.Command, error) {
	info, ok := Lookup(r.Type)
	if !ok {
		return nil, unknownType(r.Type)
	}
	if err := checkKey(r.Key, info.Keyed); err != nil {
		return nil, err
	}
	id, err := resolveID(r, info)
	if err != nil {
		return nil, err
	}
	orderCmd, stockCmd, occurredAt, err := Decode(r.Type, id, r.Key, r.Body, r.ReceivedAtMicros, opts)
	if err != nil {
		return nil, err
	}
	return &shard.Command{
		Type:             r.Type,
		ID:               id,
		Key:              r.Key,
		Fingerprint:      Fingerprint(r.Type, id, orderCmd, stockCmd, occurredAt),
		ExpectedVersion:  r.ExpectedVersion,
		ReceivedAtMicros: r.ReceivedAtMicros,
		OccurredAtMicros: occurredAt,
		Order:            orderCmd,
		Stock:            stockCmd,
		Body:             r.Body,
	}, nil
}

// resolveID derives or checks the aggregate's ID.
func resolveID(r Request, info Info) (string, error) {
	switch {
	case info.Creates && r.ExpectedVersion != nil:
		return "", &Problem{Code: CodeBadIfMatch, Detail: "A new order has no version to match."}
	case info.Creates:
		tenant := r.Tenant
		if tenant == "" {
			tenant = DefaultTenant
		}
		return OrderID(tenant, r.Key), nil
	case info.Aggregate == Order:
		if !ValidOrderID(r.ID) {
			return "", &Problem{Code: shard.CodeOrderNotFound, Detail: "No order has this ID: order IDs are UUIDs."}
		}
	default:
		if fault := ValidSKU(r.ID); fault != "" {
			return "", &Problem{Code: CodeBadSKU, Detail: "The SKU " + fault + "."}
		}
	}
	return r.ID, nil
}

// checkKey checks an idempotency key: required where a repeat would do the thing twice.
func checkKey(key string, required bool) error {
	if key == "" {
		if required {
			return &Problem{Code: CodeKeyRequired, Detail: "Send an Idempotency-Key that you keep for retries of this request."}
		}
		return nil
	}
	if len(key) > MaxKeyBytes {
		return &Problem{Code: CodeBadKey, Detail: "The idempotency key is longer than " + strconv.Itoa(MaxKeyBytes) + " characters."}
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return &Problem{Code: CodeBadKey, Detail: "The idempotency key may hold printable ASCII characters only."}
		}
	}
	return nil
}

func unknownType(typ string) *Problem {
	if len(typ) > 40 {
		typ = typ[:40] + "…"
	}
	return &Problem{Code: CodeUnknownCommand, Detail: "There is no command " + strconv.Quote(typ) + "."}
}
