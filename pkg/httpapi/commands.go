package httpapi

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/shard"
)

// CommandDeps is what the command routes need.
type CommandDeps struct {
	// Submit hands a command to its shard. It does not block; a full queue answers too_many_requests.
	Submit func(*shard.Command) *shard.Future
	// SubmitBehind hands a command on the same aggregate to the queue that took the previous one, and returns nil when
	// no queue of this replica did. Without it each command waits for the previous one.
	SubmitBehind func(previous *shard.Future, cmd *shard.Command) *shard.Future
	// Options decide what bodies mean; all replicas of a platform have the same.
	Options command.Options
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// future is an answer to come, as *shard.Future has it; tests answer by hand.
type future interface {
	Accepted() <-chan struct{}
	Done() <-chan struct{}
	Result() shard.Result
	AcceptedResult() shard.Result
}

// commandAPI serves the command routes.
type commandAPI struct {
	submit  func(*shard.Command) future
	behind  func(previous future, cmd *shard.Command) future // nil: submit it when previous is done
	options command.Options
	now     func() time.Time
}

// commandRoute is one command with a route of its own.
type commandRoute struct{ method, path, typ string }

// commandRoutes are all but payments, and parts of an order, whose command hides in the body and the path.
var commandRoutes = []commandRoute{
	{http.MethodPost, "/v1/orders", command.PlaceOrder},
	{http.MethodPost, "/v1/orders/:order_id/cancel", command.CancelOrder},
	{http.MethodPost, "/v1/orders/:order_id/confirm", command.ConfirmOrder},
	{http.MethodPost, "/v1/orders/:order_id/hold", command.HoldOrder},
	{http.MethodPost, "/v1/orders/:order_id/resume", command.ResumeOrder},
	{http.MethodPost, "/v1/orders/:order_id/cancel-lines", command.CancelLines},
	{http.MethodPost, "/v1/orders/:order_id/amend", command.AmendOrder},
	{http.MethodPost, "/v1/orders/:order_id/returns", command.RequestReturn},
	{http.MethodPost, "/v1/imports/orders", command.ImportOrder},
	{http.MethodPost, "/v1/imports/credit-notes", command.ImportCreditNote},
	{http.MethodPut, "/v1/stock/:sku", command.RegisterItem},
	{http.MethodPost, "/v1/stock/:sku/receipts", command.ReceiveStock},
	{http.MethodPut, "/v1/stock/:sku/incoming", command.ExpectStock},
	{http.MethodPost, "/v1/stock/:sku/moves", command.MoveStock},
	{http.MethodPost, "/v1/stock/:sku/transfers", command.ShipTransfer},
	{http.MethodPost, "/v1/stock/:sku/adjustments", command.AdjustStock},
	{http.MethodPost, "/v1/stock/:sku/counts", command.CountStock},
	{http.MethodPut, "/v1/stock/:sku/safety-stock", command.SetSafetyStock},
	{http.MethodPut, "/v1/stock/:sku/backorder-limit", command.SetBackorderLimit},
}

// RegisterCommands adds the command routes.
func RegisterCommands(router Router, deps CommandDeps) {
	a := &commandAPI{
		submit: func(cmd *shard.Command) future { return deps.Submit(cmd) },
		behind: func(previous future, cmd *shard.Command) future {
			if taken, ok := previous.(*shard.Future); ok && deps.SubmitBehind != nil {
				if f := deps.SubmitBehind(taken, cmd); f != nil {
					return f
				}
			}
			return nil
		},
		options: deps.Options,
		now:     deps.Now,
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.register(router)
}

func (a *commandAPI) register(router Router) {
	for _, route := range commandRoutes {
		router.Add(route.method, route.path, a.handler(route.typ))
	}
	router.Add(http.MethodPost, "/v1/orders/:order_id/payments", a.byBody(command.PaymentType))
	router.Add(http.MethodPost, "/v1/orders/:order_id/fulfilments", a.byBody(command.FulfilmentType))
	router.Add(http.MethodPost, "/v1/orders/:order_id/fulfilments/:fulfilment_id/shipment", a.part(command.ShipFulfilment, "fulfilment_id"))
	router.Add(http.MethodPost, "/v1/orders/:order_id/fulfilments/:fulfilment_id/cancel", a.part(command.CancelFulfilment, "fulfilment_id"))
	router.Add(http.MethodPost, "/v1/orders/:order_id/fulfilments/:fulfilment_id/delivery", a.part(command.DeliverOrder, "fulfilment_id"))
	router.Add(http.MethodPost, "/v1/orders/:order_id/returns/:return_id/receipt", a.part(command.ReceiveReturn, "return_id"))
	router.Add(http.MethodPost, "/v1/orders/:order_id/returns/:return_id/cancel", a.part(command.CancelReturn, "return_id"))
	router.Add(http.MethodPost, "/v1/stock/:sku/transfers/:transfer_id/receipt", a.part(command.ReceiveTransfer, "transfer_id"))
	router.Add(http.MethodPost, "/v1/commands", a.bulk)
}

func (a *commandAPI) handler(typ string) echo.HandlerFunc {
	info, _ := command.Lookup(typ)
	parameter := idParameter(info)
	return func(c echo.Context) error {
		body, err := readBody(c)
		if err != nil {
			return err
		}
		id := ""
		if !info.Creates {
			id = pathParameter(c, parameter)
		}
		return a.run(c, typ, id, body)
	}
}

// byBody serves a route whose command the body names.
func (a *commandAPI) byBody(typeOf func(body []byte) (string, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		body, err := readBody(c)
		if err != nil {
			return err
		}
		typ, err := typeOf(body)
		if err != nil {
			return err
		}
		return a.run(c, typ, pathParameter(c, "order_id"), body)
	}
}

// idParameter is where the path names the command's aggregate.
func idParameter(info command.Info) string {
	if info.Aggregate == command.Order {
		return "order_id"
	}
	return "sku"
}

// part serves a route whose path names a part of the aggregate: a fulfilment, a return, a transfer.
func (a *commandAPI) part(typ, parameter string) echo.HandlerFunc {
	info, _ := command.Lookup(typ)
	whole := idParameter(info)
	return func(c echo.Context) error {
		body, err := readBody(c)
		if err != nil {
			return err
		}
		return a.run(c, typ, pathParameter(c, whole), command.WithMember(body, parameter, pathParameter(c, parameter)))
	}
}

// run parses a command, submits it, waits for its outcome as the client prefers, and answers.
func (a *commandAPI) run(c echo.Context, typ, id string, body []byte) error {
	header := c.Request().Header
	version, err := parseIfMatch(header)
	if err != nil {
		return err
	}
	cmd, err := command.Parse(command.Request{
		Type:             typ,
		ID:               id,
		Key:              headerValue(header, "Idempotency-Key"),
		Body:             body,
		ExpectedVersion:  version,
		ReceivedAtMicros: a.now().UnixMicro(),
	}, a.options)
	if err != nil {
		return err
	}
	f := a.submit(cmd)
	switch await(c.Request().Context(), f, parsePrefer(header)) {
	case done:
		result := f.Result()
		return answer(c, cmd, &result)
	case accepted:
		result := f.AcceptedResult()
		return answerAccepted(c, cmd, &result)
	default:
		return &command.Problem{
			Code: shard.CodeUnavailable, RetryAfterSeconds: 1,
			Detail: "The command was not durable within the wait. It may still come to be: retry with the same key.",
		}
	}
}

// pathParameter returns a path segment decoded once: echo routes on the raw path when there is one.
func pathParameter(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}
