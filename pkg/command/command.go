package command

import (
	"net/http"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// Aggregate is what a command changes.
type Aggregate int

// The aggregates.
const (
	Order Aggregate = iota + 1
	Stock
)

// Command is one row of the table: all that the API knows of a command. Its route, its line of bulk, its decoder and
// its fingerprint come from here, and tests hold the OpenAPI document, the client and the command line to it.
type Command struct {
	// Type is the command's name, on a line of bulk too, such as "receive_stock".
	Type      string
	Aggregate Aggregate
	// Method and Path are the route of a single request: "/v1/stock/:sku/receipts". The first parameter of the path
	// names the aggregate. A second one names something inside of it, such as a fulfilment; it is a member of the
	// body on a line of bulk.
	Method, Path string
	// Action is the body's action where several commands share a route: "authorize" of /v1/orders/:order_id/payments.
	Action string
	// Status is the HTTP status of success.
	Status int
	// Unkeyed: the command needs no Idempotency-Key, because it is a PUT and changes nothing when it is repeated.
	Unkeyed bool
	// Creates: the command makes a new order, whose ID derives from the client's key.
	Creates bool

	decodeOrder       func(*decoding) order.Command
	decodeStock       func(*decoding) inventory.Command
	fingerprintsOrder func(*fingerprint, order.Command)
	fingerprintsStock func(*fingerprint, inventory.Command)
}

// onOrder completes the row of a command on an order. B is its body as clients write it, C the domain's command.
// decode makes the one of the other; canonical adds to the fingerprint what the client has said.
func onOrder[B any, C order.Command](
	row Command, decode func(*decoding, *B) C, canonical func(*fingerprint, C),
) *Command {
	row.Aggregate = Order
	row.decodeOrder = func(d *decoding) order.Command {
		var body B
		if !d.Read(&body) {
			return nil
		}
		return decode(d, &body)
	}
	row.fingerprintsOrder = func(f *fingerprint, cmd order.Command) { canonical(f, cmd.(C)) }
	return &row
}

// onStock completes the row of a command on a stock item likewise.
func onStock[B any, C inventory.Command](
	row Command, decode func(*decoding, *B) C, canonical func(*fingerprint, C),
) *Command {
	row.Aggregate = Stock
	row.decodeStock = func(d *decoding) inventory.Command {
		var body B
		if !d.Read(&body) {
			return nil
		}
		return decode(d, &body)
	}
	row.fingerprintsStock = func(f *fingerprint, cmd inventory.Command) { canonical(f, cmd.(C)) }
	return &row
}

// table has every command; each row stands in the file of its group.
var table = slices.Concat(
	placing, lifecycle, payments, fulfilments, lines, returns, imports,
	items, receipts, movements, corrections,
)

var byName = func() map[string]*Command {
	m := make(map[string]*Command, len(table))
	for _, c := range table {
		m[c.Type] = c
	}
	return m
}()

// Lookup returns the row of a command.
func Lookup(name string) (*Command, bool) {
	c, ok := byName[name]
	return c, ok
}

// All returns every row. Nobody may change them.
func All() []*Command { return slices.Clone(table) }

// Parameters are the names in the path, in its order: "order_id" and "fulfilment_id".
func (c *Command) Parameters() []string {
	var names []string
	for segment := range strings.SplitSeq(c.Path, "/") {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			names = append(names, name)
		}
	}
	return names
}

// Route is a method and a path with the commands that it takes: one, or several that the body's action tells apart.
type Route struct {
	Method, Path string
	Commands     []*Command
}

// Routes returns the routes of all commands, in the order of the table.
func Routes() []Route {
	var routes []Route
	for _, c := range table {
		i := slices.IndexFunc(routes, func(r Route) bool { return r.Method == c.Method && r.Path == c.Path })
		if i < 0 {
			i = len(routes)
			routes = append(routes, Route{Method: c.Method, Path: c.Path})
		}
		routes[i].Commands = append(routes[i].Commands, c)
	}
	return routes
}

// Choose returns the command of a body that came over the route. The error is a *problem.Problem.
func (r *Route) Choose(body []byte) (*Command, error) {
	if len(r.Commands) == 1 {
		return r.Commands[0], nil
	}
	return actions[r.Path](r, body)
}

// created and changed are the rows of commands that make something, and of those that change what there is.
func created(name, path string) Command {
	return Command{Type: name, Method: http.MethodPost, Path: path, Status: http.StatusCreated}
}

func changed(name, path string) Command {
	return Command{Type: name, Method: http.MethodPost, Path: path, Status: http.StatusOK}
}

// put is the row of a command that sets something, and does nothing when it is repeated.
func put(name, path string) Command {
	return Command{Type: name, Method: http.MethodPut, Path: path, Status: http.StatusOK, Unkeyed: true}
}

// withAction has a command share its route.
func (c Command) withAction(action string) Command {
	c.Action = action
	return c
}

// creating has a command make a new order.
func (c Command) creating() Command {
	c.Creates = true
	return c
}
