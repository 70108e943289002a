package command

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// lineEnvelope is one line of POST /v1/commands.
type lineEnvelope struct {
	ID       *string        `json:"id"`
	Type     string         `json:"type"`
	OrderID  *string        `json:"order_id"`
	OrderKey *string        `json:"order_key"` // instead of OrderID: the id of the line that places the order
	SKU      *string        `json:"sku"`
	IfMatch  *int64         `json:"if_match"`
	Body     jsontext.Value `json:"body"`
}

// ParseLine builds the command of one line of bulk, through the same Parse as a single request. id is
// what the line calls itself, as far as it could be read. It keeps nothing of line. Errors are a *problem.Problem
// whose pointers start at the line: "/body/quantity".
func ParseLine(line []byte, receivedAtMicros int64, opts Options) (id string, cmd *shard.Command, err error) {
	var e lineEnvelope
	err = input.ReadLine(line, &e)
	if e.ID != nil {
		id = *e.ID
	}
	if err != nil {
		return id, nil, err
	}
	c, ok := Lookup(e.Type)
	if !ok {
		return id, nil, pointed(unknownCommand(e.Type), "/type")
	}
	if e.Body == nil {
		e.Body = jsontext.Value("{}") // the document has it optional: many commands need no member
	}
	target, fault := e.target(c)
	if fault != nil {
		return id, nil, fault
	}
	cmd, err = Parse(Request{
		Type:             e.Type,
		ID:               target,
		Key:              e.ID,
		Body:             e.Body,
		ExpectedVersion:  e.expectedVersion(),
		ReceivedAtMicros: receivedAtMicros,
	}, opts)
	if err != nil {
		return id, nil, inLine(problem.Of(err), c)
	}
	return id, cmd, nil
}

// expectedVersion is the version that if_match names.
func (e *lineEnvelope) expectedVersion() *uint64 {
	if e.IfMatch == nil {
		return nil
	}
	version := uint64(max(0, *e.IfMatch))
	return &version
}

// target picks the member that names the aggregate and refuses the other, and an if_match that no version has.
func (e *lineEnvelope) target(c *Command) (string, *problem.Problem) {
	if fault := e.resolveOrderKey(c); fault != nil {
		return "", fault
	}
	named, other, pointer := e.OrderID, e.SKU, "/sku"
	if c.Aggregate == Stock {
		named, other, pointer = e.SKU, e.OrderID, "/order_id"
	}
	if named != nil && c.Creates {
		other, pointer = named, "/order_id"
	}
	switch {
	case other != nil:
		return "", problem.At(problem.InvalidLine, pointer, "must be absent in this command")
	case e.IfMatch != nil && *e.IfMatch < 1:
		return "", problem.At(problem.InvalidIfMatch, "/if_match", "must be a version, from 1")
	case named == nil:
		return "", nil
	}
	return *named, nil
}

// resolveOrderKey has order_id name the order that the line with the id order_key places, by the ID of that key alone.
func (e *lineEnvelope) resolveOrderKey(c *Command) *problem.Problem {
	switch {
	case e.OrderKey == nil:
		return nil
	case c.Aggregate == Stock || c.Creates:
		return problem.At(problem.InvalidLine, "/order_key", "must be absent in this command")
	case e.OrderID != nil:
		return problem.At(problem.InvalidLine, "/order_key", "stands instead of order_id, not beside it")
	case input.KeyFault(*e.OrderKey) != "":
		return problem.At(problem.InvalidLine, "/order_key", "must be the id of the line that places the order")
	}
	id := orderid.ByKey(orderid.DefaultTenant, *e.OrderKey)
	e.OrderID = &id
	return nil
}

// inLine moves a problem's pointers from the body to the line around it.
func inLine(p *problem.Problem, c *Command) *problem.Problem {
	for i := range p.Errors {
		p.Errors[i].Pointer = "/body" + p.Errors[i].Pointer
	}
	if len(p.Errors) > 0 {
		return p
	}
	switch p.Code {
	case problem.KeyRequired, problem.InvalidKey:
		return pointed(p, "/id")
	case problem.InvalidIfMatch:
		return pointed(p, "/if_match")
	}
	if c.Aggregate == Stock {
		return pointed(p, "/sku")
	}
	return pointed(p, "/order_id")
}

func pointed(p *problem.Problem, pointer string) *problem.Problem {
	p.Errors = []problem.FieldError{{Pointer: pointer, Detail: p.Detail}}
	return p
}
