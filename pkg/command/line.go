package command

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast/holdfast/pkg/shard"
)

// lineEnvelope is one line of POST /v1/commands.
type lineEnvelope struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	OrderID string         `json:"order_id"`
	SKU     string         `json:"sku"`
	IfMatch *uint64        `json:"if_match"`
	Body    jsontext.Value `json:"body"`
}

// ParseLine builds the command of one line of bulk, through the same Parse as a single request. id is
// what the line calls itself, as far as it could be read. It keeps nothing of line. Errors are a *Problem
// whose pointers start at the line: "/body/quantity".
func ParseLine(line []byte, receivedAtMicros int64, opts Options) (id string, cmd *shard.Command, err error) {
	var e lineEnvelope
	if err := json.Unmarshal(line, &e, strict); err != nil {
		code, pointer, detail := explain(err)
		return e.ID, nil, &Problem{Code: code, Detail: detail, Errors: []FieldError{{pointer, detail}}}
	}
	info, ok := Lookup(e.Type)
	if !ok {
		return e.ID, nil, pointed(unknownType(e.Type), "/type")
	}
	target, fault := e.target(info)
	if fault != nil {
		return e.ID, nil, fault
	}
	cmd, err = Parse(Request{
		Type:             e.Type,
		ID:               target,
		Key:              e.ID,
		Body:             e.Body,
		ExpectedVersion:  e.IfMatch,
		ReceivedAtMicros: receivedAtMicros,
	}, opts)
	if err != nil {
		return e.ID, nil, inLine(AsProblem(err), info)
	}
	return e.ID, cmd, nil
}

// target picks the member that names the aggregate and refuses the other.
func (e *lineEnvelope) target(info Info) (string, *Problem) {
	var pointer string
	switch {
	case e.OrderID != "" && (info.Aggregate == Stock || info.Creates):
		pointer = "/order_id"
	case e.SKU != "" && info.Aggregate == Order:
		pointer = "/sku"
	case info.Aggregate == Stock:
		return e.SKU, nil
	default:
		return e.OrderID, nil
	}
	const detail = "must be absent in this command"
	return "", &Problem{Code: CodeBadEnvelope, Detail: detail, Errors: []FieldError{{pointer, detail}}}
}

// inLine moves a problem's pointers from the body to the line around it.
func inLine(p *Problem, info Info) *Problem {
	for i := range p.Errors {
		p.Errors[i].Pointer = "/body" + p.Errors[i].Pointer
	}
	if len(p.Errors) > 0 {
		return p
	}
	switch p.Code {
	case CodeKeyRequired, CodeBadKey:
		return pointed(p, "/id")
	case CodeBadIfMatch:
		return pointed(p, "/if_match")
	}
	if info.Aggregate == Stock {
		return pointed(p, "/sku")
	}
	return pointed(p, "/order_id")
}

func pointed(p *Problem, pointer string) *Problem {
	p.Errors = []FieldError{{pointer, p.Detail}}
	return p
}
