package command

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
)

// Options are the settings that decide what a body means.
type Options struct {
	// PaymentWindow is how long a prepaid order may wait for its payment; 0: limits.DefaultPaymentWindow.
	PaymentWindow time.Duration
	// Rounding is that of orders which do not say theirs; 0: by order.
	Rounding order.Rounding
	// PartitionsBySKU is how many partitions the platform has, where it places orders with their goods, and 0 where it
	// places them by their keys; nil: by their keys. It is asked for each order.
	PartitionsBySKU func() int32
}

// Decode turns a command's JSON into the domain's command, of which one is set. It is a function of its arguments
// alone, so that every replica decodes the same body alike. occurredAtMicros is when it happened, where the body says
// so. The error is a *problem.Problem.
func Decode(name, id, key string, body []byte, receivedAtMicros int64, opts Options) (
	o order.Command, s inventory.Command, occurredAtMicros int64, err error,
) {
	c, ok := Lookup(name)
	if !ok {
		return nil, nil, 0, unknownCommand(name)
	}
	d := decoding{Body: input.Body{JSON: body}, id: id, key: key, receivedAtMicros: receivedAtMicros, opts: opts}
	if c.Aggregate == Order {
		o = c.decodeOrder(&d)
	} else {
		s = c.decodeStock(&d)
	}
	if err := d.Problem(); err != nil {
		return nil, nil, 0, err
	}
	return o, s, d.occurredAtMicros, nil
}

// decoding is one body on its way to a command, with what the command needs beside the body.
type decoding struct {
	input.Body
	// id is the order ID or SKU, key the client's idempotency key: other IDs derive from both.
	id, key          string
	receivedAtMicros int64
	// occurredAtMicros is set from the body's occurred_at; 0: it has none.
	occurredAtMicros int64
	opts             Options
}

// paymentDeadline is when an order has to be paid that is placed now, or whose payment begins now.
func (d *decoding) paymentDeadline() int64 {
	window := d.opts.PaymentWindow
	if window == 0 {
		window = limits.DefaultPaymentWindow
	}
	return d.receivedAtMicros + window.Microseconds()
}

func (d *decoding) reason(s string) string { return d.Text("/reason", s, limits.MaxReasonLength) }

func (d *decoding) reference(s string) string {
	return d.Text("/reference", s, limits.MaxReferenceLength)
}

// positive is an amount of more than 0.
func (d *decoding) positive(pointer, s, code string) int64 {
	micros, fault := input.ParseAmount(s)
	if fault == "" && micros == 0 {
		d.Fault(code, pointer, "must be more than 0")
		return 0
	}
	return d.Amount(pointer, s, code)
}

func (d *decoding) location(s string) string { return d.Location("/location", s) }

func (d *decoding) metadata(pointer string, values map[string]string) metadata.Map {
	m := metadata.Of(values)
	if at, fault := m.Fault(pointer); fault != "" {
		d.Fault(order.CodeInvalidMetadata, at, fault)
	}
	return m
}

// occurredAt notes when something happened, where the body says so. What has not happened yet is refused. Logs may have
// events of such a time nevertheless: earlier releases took them.
func (d *decoding) occurredAt(s *string) {
	if s == nil {
		return
	}
	micros, valid := d.Time("/occurred_at", *s)
	d.occurredAtMicros = micros
	if valid && micros > d.receivedAtMicros+limits.MaxFuture.Microseconds() {
		d.Invalid("/occurred_at", "must not be in the future: at most "+strconv.Itoa(int(limits.MaxFuture.Minutes()))+
			" minutes after the clock of the server, which was at "+
			time.UnixMicro(d.receivedAtMicros).UTC().Format(time.RFC3339))
	}
}

func (d *decoding) currency(code string) string {
	if _, ok := money.Lookup(code); !ok {
		if code == "" {
			d.Missing("/currency")
		} else {
			d.Fault(order.CodeUnknownCurrency, "/currency", "is no ISO 4217 code of a currency")
		}
	}
	return code
}

// action checks an action that stands beside a command, which says the same.
func (d *decoding) action(got *string, want string) {
	if got != nil && *got != want {
		d.Fault(problem.InvalidAction, "/action", "must be "+want+" in this command")
	}
}

// quantityBody is a line that names units of an order's SKU.
type quantityBody struct {
	SKU      string `json:"sku"`
	Line     *int64 `json:"line"` // its number from 1; nil: any line of the SKU
	Quantity int64  `json:"quantity"`
}

// placeLine reads a line at a price.
func (d *decoding) placeLine(i int, sku string, quantity int64, unitPrice string) order.PlaceLine {
	d.checkLine(i, sku, quantity)
	micros, fault := input.ParseAmount(unitPrice)
	if fault != "" {
		d.Amount(linePointer(i)+"/unit_price", unitPrice, order.CodeInvalidPrice)
	}
	return order.PlaceLine{SKU: sku, Quantity: quantity, UnitPriceMicros: micros}
}

func (d *decoding) quantities(lines []quantityBody) []order.LineQuantity {
	if !d.countLines(len(lines)) {
		return nil
	}
	out := make([]order.LineQuantity, len(lines))
	for i, line := range lines {
		d.checkLine(i, line.SKU, line.Quantity)
		out[i] = order.LineQuantity{SKU: line.SKU, Quantity: line.Quantity, Line: d.lineNumber(i, line.Line)}
	}
	return out
}

// optionalQuantities are the lines of a command that means all there is when it has none.
func (d *decoding) optionalQuantities(lines *[]quantityBody) []order.LineQuantity {
	if lines == nil {
		return nil
	}
	return d.quantities(*lines)
}

func (d *decoding) countLines(n int) bool {
	switch {
	case n == 0:
		d.Fault(problem.MissingField, "/lines", "must hold at least one line")
	case n > limits.MaxLines:
		d.Fault(problem.TooManyLines, "/lines",
			"holds "+strconv.Itoa(n)+" lines; at most "+strconv.Itoa(limits.MaxLines)+" are taken")
	}
	return n > 0 && n <= limits.MaxLines
}

// checkLine checks what every kind of line has. Pointers are made only for faults.
func (d *decoding) checkLine(i int, sku string, quantity int64) {
	if fault := input.SKUFault(sku); fault != "" {
		code := problem.InvalidSKU
		if sku == "" {
			code = problem.MissingField
		}
		d.Fault(code, linePointer(i)+"/sku", fault)
	}
	if !input.ValidQuantity(quantity) {
		d.Quantity(linePointer(i)+"/quantity", quantity)
	}
}

// lineNumber is the number of a line that line i of a body names; 0: it names none.
func (d *decoding) lineNumber(i int, number *int64) int32 {
	if number == nil {
		return 0
	}
	if *number < 1 || *number > limits.MaxLines {
		d.Fault(order.CodeInvalidLines, linePointer(i)+"/line", "must be from 1 to "+strconv.Itoa(limits.MaxLines))
		return 0
	}
	return int32(*number)
}

func linePointer(i int) string { return "/lines/" + strconv.Itoa(i) }

// chooseByAction returns the command of a route that the body's action names; an action that is absent is the default
// of routes that have one. B has the members of all commands of the route.
func chooseByAction[B any](
	actionOf func(*B) *string, defaultAction, wanted string,
) func(*Route, []byte) (*Command, error) {
	return func(r *Route, raw []byte) (*Command, error) {
		var body B
		d := input.Body{JSON: raw}
		if !d.Read(&body) {
			return nil, d.Problem()
		}
		action := defaultAction
		given := actionOf(&body)
		if given != nil {
			action = *given
		}
		i := slices.IndexFunc(r.Commands, func(c *Command) bool { return c.Action == action })
		switch {
		case i >= 0:
			return r.Commands[i], nil
		case given == nil:
			d.Missing("/action")
		default:
			d.Fault(problem.InvalidAction, "/action", "must be "+wanted)
		}
		return nil, d.Problem()
	}
}

// actions are the routes whose commands an action tells apart, by path.
var actions = map[string]func(*Route, []byte) (*Command, error){
	paymentsPath: chooseByAction(func(b *anyPaymentBody) *string { return b.Action }, "",
		"one of "+strings.Join(actionsOf(payments), ", ")),
	fulfilmentsPath: chooseByAction(func(b *shipBody) *string { return b.Action }, "ship", "ship or create"),
}

func actionsOf(commands []*Command) []string {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Action
	}
	return names
}

// WithMember returns a body with the ID that stands in the path instead. A body that is no object is returned as it is,
// for Decode to refuse.
func WithMember(body []byte, member, id string) []byte {
	remaining, isObject := bytes.CutPrefix(bytes.TrimSpace(body), []byte("{"))
	if !isObject && len(remaining) > 0 {
		return body
	}
	out := appendjson.String([]byte(`{"`+member+`":`), id)
	switch remaining = bytes.TrimSpace(remaining); {
	case len(remaining) == 0:
		return append(out, '}')
	case remaining[0] != '}':
		out = append(out, ',')
	}
	return append(out, remaining...)
}
