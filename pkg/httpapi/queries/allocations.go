package queries

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/stockledger"
)

// allocationAPI says where the goods of orders are. The view of orders knows which orders there are, the stock ledger
// what they have.
type allocationAPI struct {
	orders OrderStore
	ledger LedgerStore
	of     eventlog.Incarnation
}

// orderAllocations is the answer's body.
type orderAllocations struct {
	OrderID string                       `json:"order_id"`
	Items   []stockledger.ItemAllocation `json:"items"`
}

func (a *allocationAPI) get(c echo.Context) error {
	m, err := momentOf(c)
	if err != nil {
		return err
	}
	found, _, err := orderAt(c, a.orders, a.of, &m)
	if err != nil {
		return err
	}
	var order struct {
		ID string `json:"order_id"` // perhaps it was asked for by the ID of its key
	}
	if err := json.Unmarshal(found, &order); err != nil {
		return fmt.Errorf("read order: %w", err)
	}
	reached := a.orders.Reached()
	if err := freshList(c, a.ledger, a.of, &m); err != nil {
		return err
	}
	if reached = reached.Merge(a.ledger.Reached()); !reached.IsZero() {
		c.Response().Header()["Holdfast-Position"] = []string{a.of.Text(reached)}
	}
	items, err := a.ledger.Allocations(c.Request().Context(), order.ID, &m)
	if err != nil {
		return err
	}
	if items == nil {
		items = []stockledger.ItemAllocation{}
	}
	return httpapi.WriteJSON(c, http.StatusOK, orderAllocations{order.ID, items})
}
