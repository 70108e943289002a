package access

import (
	"maps"
	"slices"
	"strings"
)

// Need is what an operation asks of a key: all scopes of one of these sets. The OpenAPI document has the sets as
// security requirements.
type Need []Scopes

// IsNothing reports whether the operation needs no key at all.
func (n Need) IsNothing() bool { return len(n) == 0 }

// Allows reports whether a key with these scopes may do it.
func (n Need) Allows(scopes Scopes) bool {
	for _, set := range n {
		if scopes&set == set {
			return true
		}
	}
	return false
}

// Scopes are those of all sets.
func (n Need) Scopes() (all Scopes) {
	for _, set := range n {
		all |= set
	}
	return all
}

// String names the scopes: "orders:write", "orders:read and stock:read", "stock:write or import:admin".
func (n Need) String() string {
	sets := make([]string, len(n))
	for i, set := range n {
		sets[i] = strings.Join(set.Names(), " and ")
	}
	return strings.Join(sets, " or ")
}

// anyone is the need of operations that need no key.
var anyone Need

// operations says what each operation of the API needs, by method and path as schemas/openapi.yaml has them. It is the
// only such table: a route that it lacks cannot be registered, and the OpenAPI document is held to it.
var operations = map[string]Need{
	"POST /v1/orders":                                                          {OrdersWrite},
	"POST /v1/orders/{order_id}/payments":                                      {OrdersWrite},
	"POST /v1/orders/{order_id}/confirm":                                       {OrdersWrite},
	"POST /v1/orders/{order_id}/cancel":                                        {OrdersWrite},
	"POST /v1/orders/{order_id}/cancel-lines":                                  {OrdersWrite},
	"POST /v1/orders/{order_id}/amend":                                         {OrdersWrite},
	"POST /v1/orders/{order_id}/hold":                                          {OrdersWrite},
	"POST /v1/orders/{order_id}/resume":                                        {OrdersWrite},
	"POST /v1/orders/{order_id}/fulfilments":                                   {OrdersWrite},
	"POST /v1/orders/{order_id}/fulfilments/{fulfilment_id}/shipment":          {OrdersWrite},
	"POST /v1/orders/{order_id}/fulfilments/{fulfilment_id}/cancel":            {OrdersWrite},
	"POST /v1/orders/{order_id}/fulfilments/{fulfilment_id}/delivery":          {OrdersWrite},
	"POST /v1/orders/{order_id}/fulfilments/{fulfilment_id}/failure":           {OrdersWrite},
	"POST /v1/orders/{order_id}/returns":                                       {OrdersWrite},
	"POST /v1/orders/{order_id}/returns/{return_id}/receipt":                   {OrdersWrite},
	"POST /v1/orders/{order_id}/returns/{return_id}/cancel":                    {OrdersWrite},
	"POST /v1/orders/{order_id}/fulfilments/{fulfilment_id}/shipment/reversal": {OrdersWrite},
	"POST /v1/orders/{order_id}/fulfilments/{fulfilment_id}/delivery/reversal": {OrdersWrite},
	"GET /v1/orders":                        {OrdersRead},
	"GET /v1/orders/{order_id}":             {OrdersRead},
	"GET /v1/orders/{order_id}/allocations": {OrdersRead},

	"PUT /v1/stock/{sku}":                                  {StockWrite},
	"POST /v1/stock/{sku}/receipts":                        {StockWrite},
	"PUT /v1/stock/{sku}/incoming":                         {StockWrite},
	"POST /v1/stock/{sku}/moves":                           {StockWrite},
	"POST /v1/stock/{sku}/transfers":                       {StockWrite},
	"POST /v1/stock/{sku}/transfers/{transfer_id}/receipt": {StockWrite},
	"POST /v1/stock/{sku}/transfers/{transfer_id}/cancel":  {StockWrite},
	"POST /v1/stock/{sku}/adjustments":                     {StockWrite},
	"POST /v1/stock/{sku}/counts":                          {StockWrite},
	"PUT /v1/stock/{sku}/safety-stock":                     {StockWrite},
	"PUT /v1/stock/{sku}/backorder-limit":                  {StockWrite},
	"GET /v1/stock/{sku}":                                  {StockRead},
	"GET /v1/stock/{sku}/ledger":                           {StockRead},
	"GET /v1/stock-changes":                                {StockRead},
	"GET /v1/availability":                                 {StockRead},
	"GET /v1/availability/{sku}":                           {StockRead},
	"POST /v1/availability":                                {StockRead}, // it reads: the body has the SKUs

	"GET /v1/locations":                                 {StockRead},
	"PUT /v1/locations/{location}":                      {StockWrite},
	"POST /v1/locations/{location}/retirement":          {StockWrite},
	"POST /v1/locations/{location}/retirement/reversal": {StockWrite},

	"GET /v1/orders/stream":            {OrdersRead},
	"GET /v1/orders/{order_id}/stream": {OrdersRead},
	"GET /v1/availability/stream":      {StockRead},
	// The feed has the events of both.
	"GET /v1/events": {OrdersRead | StockRead},

	"POST /v1/imports/orders":       {ImportAdmin},
	"POST /v1/imports/credit-notes": {ImportAdmin},

	// A stream of commands needs one of their scopes, and each of its lines that of its command.
	"POST /v1/commands": {OrdersWrite, StockWrite, ImportAdmin},

	"GET /v1/reports/revenue":              {InsightsRead},
	"GET /v1/reports/stock-movements":      {InsightsRead},
	"GET /v1/insights":                     {InsightsRead},
	"GET /v1/insights/{name}":              {InsightsRead},
	"POST /v1/insights/preview":            {InsightsRead}, // it keeps nothing
	"POST /v1/insights/plan":               {InsightsRead}, // likewise
	"GET /v1/replays":                      {InsightsRead},
	"GET /v1/replays/{replay_id}":          {InsightsRead},
	"GET /v1/replays/{replay_id}/log":      {InsightsRead},
	"GET /v1/replays/{replay_id}/progress": {InsightsRead},

	"DELETE /v1/insights/{name}":            {ReplaysAdmin},
	"POST /v1/replays":                      {ReplaysAdmin},
	"POST /v1/replays/{replay_id}/pause":    {ReplaysAdmin},
	"POST /v1/replays/{replay_id}/resume":   {ReplaysAdmin},
	"POST /v1/replays/{replay_id}/cancel":   {ReplaysAdmin},
	"POST /v1/replays/{replay_id}/verify":   {ReplaysAdmin},
	"POST /v1/replays/{replay_id}/promote":  {ReplaysAdmin},
	"POST /v1/replays/{replay_id}/rollback": {ReplaysAdmin},
	"POST /v1/replays/{replay_id}/discard":  {ReplaysAdmin},

	"POST /v1/keys":            {KeysAdmin},
	"GET /v1/keys":             {KeysAdmin},
	"DELETE /v1/keys/{key_id}": {KeysAdmin},

	// Probes and load balancers have no keys.
	"GET /healthz": anyone,
	"GET /readyz":  anyone,
}

// NeedOf is what an operation needs. The path is one of schemas/openapi.yaml, or a route with :name for {name}. HEAD
// needs what GET does.
func NeedOf(method, path string) (need Need, ok bool) {
	if method == "HEAD" {
		method = "GET"
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			segments[i] = "{" + name + "}"
		}
	}
	need, ok = operations[method+" "+strings.Join(segments, "/")]
	return need, ok
}

// Operations are all operations, each a method and a path, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(operations)) }
