package command

import (
	"bytes"
	"strings"
)

// The bodies as clients write them. Pointers mark members whose absence differs from zero.

type lineBody struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice string `json:"unit_price"`
}

type placeBody struct {
	CustomerID   string          `json:"customer_id"`
	Currency     string          `json:"currency"`
	Lines        []lineBody      `json:"lines"`
	PaymentTerms string          `json:"payment_terms"`
	Country      string          `json:"country"`
	Reference    string          `json:"reference"`
	Total        *string         `json:"total"`
	Allocation   *allocationBody `json:"allocation"`
}

type allocationBody struct {
	Policy    string   `json:"policy"`
	Locations []string `json:"locations"`
}

type importBody struct {
	Reference  string     `json:"reference"`
	CustomerID string     `json:"customer_id"`
	Currency   string     `json:"currency"`
	Country    string     `json:"country"`
	OccurredAt string     `json:"occurred_at"`
	Lines      []lineBody `json:"lines"`
}

type cancelBody struct {
	Reason string `json:"reason"`
}

// anyPaymentBody has the members of all payments.
type anyPaymentBody struct {
	Action    string `json:"action"`
	Amount    string `json:"amount"`
	Reference string `json:"reference"`
	Reason    string `json:"reason"`
}

type paymentBody struct {
	Action    string `json:"action"`
	Amount    string `json:"amount"`
	Reference string `json:"reference"`
}

// giveBackBody is a void or a refund: without an amount, of all that is left.
type giveBackBody struct {
	Action    string  `json:"action"`
	Amount    *string `json:"amount"`
	Reference string  `json:"reference"`
	Reason    string  `json:"reason"`
}

type startPaymentBody struct {
	Action    string `json:"action"`
	Reference string `json:"reference"`
}

type failPaymentBody struct {
	Action    string `json:"action"`
	Reference string `json:"reference"`
	Reason    string `json:"reason"`
}

type emptyBody struct{}

type quantityBody struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type createFulfilmentBody struct {
	Action string          `json:"action"`
	Lines  *[]quantityBody `json:"lines"`
}

// captureBody is part of both bodies that ship.
type captureBody struct {
	Capture          bool   `json:"capture"`
	PaymentReference string `json:"payment_reference"`
}

type shipFulfilmentBody struct {
	FulfilmentID      string `json:"fulfilment_id"`
	TrackingReference string `json:"tracking_reference"`
	captureBody
}

type cancelFulfilmentBody struct {
	FulfilmentID string `json:"fulfilment_id"`
	Reason       string `json:"reason"`
}

type cancelLinesBody struct {
	Lines  []quantityBody `json:"lines"`
	Reason string         `json:"reason"`
}

type amendBody struct {
	Lines  []amendLineBody `json:"lines"`
	Reason string          `json:"reason"`
}

type amendLineBody struct {
	SKU       string  `json:"sku"`
	Line      *int64  `json:"line"`
	Quantity  *int64  `json:"quantity"`
	UnitPrice *string `json:"unit_price"`
}

type shipBody struct {
	Action            string          `json:"action"`
	Lines             *[]quantityBody `json:"lines"`
	TrackingReference string          `json:"tracking_reference"`
	captureBody
}

type deliverBody struct {
	FulfilmentID string          `json:"fulfilment_id"`
	Lines        *[]quantityBody `json:"lines"`
}

type requestReturnBody struct {
	Lines  *[]quantityBody `json:"lines"`
	Reason string          `json:"reason"`
}

type returnedBody struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	Condition string `json:"condition"`
}

type receiveReturnBody struct {
	ReturnID string         `json:"return_id"`
	Lines    []returnedBody `json:"lines"`
	Location string         `json:"location"`
}

type cancelReturnBody struct {
	ReturnID string `json:"return_id"`
	Reason   string `json:"reason"`
}

type registerBody struct {
	Description string `json:"description"`
}

type receiveBody struct {
	Location   string `json:"location"`
	Quantity   int64  `json:"quantity"`
	Reference  string `json:"reference"`
	OccurredAt string `json:"occurred_at"`
}

type expectBody struct {
	Location  string `json:"location"`
	Quantity  *int64 `json:"quantity"`
	Reference string `json:"reference"`
}

type moveBody struct {
	Location  string `json:"location"`
	From      string `json:"from"`
	To        string `json:"to"`
	Quantity  int64  `json:"quantity"`
	Reference string `json:"reference"`
}

type shipTransferBody struct {
	FromLocation string `json:"from_location"`
	ToLocation   string `json:"to_location"`
	Quantity     int64  `json:"quantity"`
	Reference    string `json:"reference"`
}

type receiveTransferBody struct {
	TransferID string `json:"transfer_id"`
	Quantity   *int64 `json:"quantity"`
	Missing    int64  `json:"missing"`
	Damaged    int64  `json:"damaged"`
	Rejected   int64  `json:"rejected"`
	Reason     string `json:"reason"`
}

type adjustBody struct {
	Location   string `json:"location"`
	Delta      int64  `json:"delta"`
	Reason     string `json:"reason"`
	Reference  string `json:"reference"`
	OccurredAt string `json:"occurred_at"`
}

type countBody struct {
	Location         string `json:"location"`
	Counted          *int64 `json:"counted"`
	Reference        string `json:"reference"`
	CountedAtVersion *int64 `json:"counted_at_version"`
}

type safetyBody struct {
	Location string `json:"location"`
	Quantity *int64 `json:"quantity"`
}

type limitBody struct {
	Limit *int64 `json:"limit"`
}

// paymentActions are the payment commands' names without their ending.
var paymentActions = []string{"start", "authorize", "capture", "void", "refund", "fail"}

// PaymentType tells which command a body of POST /v1/orders/{id}/payments is. Errors are a *Problem.
func PaymentType(body []byte) (string, error) {
	var b anyPaymentBody
	d := decoding{body: body}
	if d.read(&b) {
		for _, action := range paymentActions {
			if b.Action == action {
				return action + "_payment", nil
			}
		}
		if b.Action == "" {
			d.fault(CodeMissingField, "/action", "is required")
		} else {
			d.fault(CodeBadAction, "/action", "must be one of "+strings.Join(paymentActions, ", "))
		}
	}
	return "", d.problem()
}

// fulfilmentActions are what POST /v1/orders/{id}/fulfilments does; the first one, unless it says.
var fulfilmentActions = map[string]string{"": ShipOrder, "ship": ShipOrder, "create": CreateFulfilment}

// FulfilmentType tells which command a body of POST /v1/orders/{id}/fulfilments is. Errors are a *Problem.
func FulfilmentType(body []byte) (string, error) {
	var b shipBody
	d := decoding{body: body}
	if d.read(&b) {
		if typ, ok := fulfilmentActions[b.Action]; ok {
			return typ, nil
		}
		d.fault(CodeBadAction, "/action", "must be ship or create")
	}
	return "", d.problem()
}

// WithMember returns the body with an ID that stands in the path. What is no object stays as it is, for Decode to
// refuse.
func WithMember(body []byte, member, id string) []byte {
	rest, isObject := bytes.CutPrefix(bytes.TrimSpace(body), []byte("{"))
	if !isObject && len(rest) > 0 {
		return body
	}
	out := AppendString([]byte(`{"`+member+`":`), id)
	switch rest = bytes.TrimSpace(rest); {
	case len(rest) == 0:
		return append(out, '}')
	case rest[0] != '}':
		out = append(out, ',')
	}
	return append(out, rest...)
}
