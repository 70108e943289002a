package command

import (
	"net/http"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard"
)

// kinds is the one table from code to status and title; docs and the OpenAPI document repeat it.
// unknown_sku is the exception that Result knows: 404 for stock commands, 409 for orders.
var kinds = map[string]Kind{
	CodeMalformedJSON:            {http.StatusBadRequest, "The body is not well-formed JSON"},
	CodeUnknownField:             {http.StatusBadRequest, "The body has a member that is not known"},
	CodeDuplicateField:           {http.StatusBadRequest, "The body has a member twice"},
	CodeWrongType:                {http.StatusBadRequest, "A member has the wrong type"},
	CodeMissingField:             {http.StatusBadRequest, "A required member is missing"},
	CodeTooManyLines:             {http.StatusBadRequest, "Too many lines"},
	CodeBadAction:                {http.StatusBadRequest, "The payment's action is not known"},
	CodeBadEnvelope:              {http.StatusBadRequest, "The line does not fit its command"},
	CodeUnknownCommand:           {http.StatusBadRequest, "There is no such command"},
	"invalid_occurred_at":        {http.StatusBadRequest, "The time is not valid"},
	"invalid_customer_id":        {http.StatusBadRequest, "The customer ID is not valid"},
	"invalid_country":            {http.StatusBadRequest, "The country is not valid"},
	"invalid_tracking_reference": {http.StatusBadRequest, "The tracking reference is not valid"},

	CodeKeyRequired:    {http.StatusBadRequest, "An Idempotency-Key is required"},
	CodeBadKey:         {http.StatusBadRequest, "The idempotency key is not valid"},
	CodeBadIfMatch:     {http.StatusBadRequest, "If-Match is not valid"},
	CodeBadPosition:    {http.StatusBadRequest, "Holdfast-Min-Position is not valid"},
	CodeBadParameter:   {http.StatusBadRequest, "A parameter is not valid"},
	CodeBadCursor:      {http.StatusBadRequest, "The cursor is not valid"},
	CodeTooManySKUs:    {http.StatusBadRequest, "Too many SKUs"},
	CodeNotFound:       {http.StatusNotFound, "There is nothing here"},
	CodeMethod:         {http.StatusMethodNotAllowed, "The method is not allowed here"},
	CodeMediaType:      {http.StatusUnsupportedMediaType, "The content type is not supported"},
	CodeNotAcceptable:  {http.StatusNotAcceptable, "No such format is offered"},
	CodeBodyTooLarge:   {http.StatusRequestEntityTooLarge, "The body is too large"},
	CodeLineTooLong:    {http.StatusRequestEntityTooLarge, "The line is too long"},
	CodeRequestTimeout: {http.StatusRequestTimeout, "The request did not arrive in time"},
	CodePosition:       {http.StatusServiceUnavailable, "The view has not reached the position yet"},
	CodeInternal:       {http.StatusInternalServerError, "Something went wrong inside"},

	shard.CodeUnavailable:     {http.StatusServiceUnavailable, "Not available now; retry with the same key"},
	shard.CodeTooManyRequests: {http.StatusTooManyRequests, "Too many requests; retry with the same key"},
	shard.CodeKeyReused:       {http.StatusUnprocessableEntity, "The idempotency key was used for another request"},
	shard.CodeVersionMismatch: {http.StatusPreconditionFailed, "The version is another"},
	shard.CodeOrderNotFound:   {http.StatusNotFound, "The order is not known"},
	shard.CodeUnknownSKU:      {http.StatusNotFound, "The SKU is not known"},
	shard.CodeInsufficient:    {http.StatusConflict, "Not enough stock"},
	shard.CodeTooLarge:        {http.StatusRequestEntityTooLarge, "The command is too large"},

	inventory.CodeNegativeOnHand:     {http.StatusConflict, "There is not that much on hand"},
	inventory.CodeInvalidSKU:         {http.StatusBadRequest, "The SKU is not valid"},
	inventory.CodeInvalidQuantity:    {http.StatusBadRequest, "A quantity is not valid"},
	inventory.CodeInvalidDelta:       {http.StatusBadRequest, "The change of stock is not valid"},
	inventory.CodeInvalidReason:      {http.StatusBadRequest, "The reason is not valid"},
	inventory.CodeInvalidLocation:    {http.StatusBadRequest, "The location is not valid"},
	inventory.CodeInvalidReference:   {http.StatusBadRequest, "The reference is not valid"},
	inventory.CodeInvalidDescription: {http.StatusBadRequest, "The description is not valid"},
	inventory.CodeInvalidStep:        {http.StatusInternalServerError, "Something went wrong inside"},
	inventory.CodeTooManyLocations:   {http.StatusConflict, "The item has too many locations"},
	inventory.CodeQuantityOverflow:   {http.StatusConflict, "The quantity is beyond what can be counted"},

	order.CodeAlreadyPlaced:       {http.StatusConflict, "The order is there already"},
	order.CodeIllegalTransition:   {http.StatusConflict, "The order's state does not take this command"},
	order.CodeInvalidLines:        {http.StatusBadRequest, "The lines are not valid"},
	order.CodeInvalidPrice:        {http.StatusBadRequest, "A price is not valid"},
	order.CodeInvalidAmount:       {http.StatusBadRequest, "The amount is not valid"},
	order.CodeInvalidTerms:        {http.StatusBadRequest, "The payment terms are not valid"},
	order.CodeInvalidKind:         {http.StatusBadRequest, "The kind of document is not valid"},
	order.CodeInvalidOrderID:      {http.StatusBadRequest, "The order ID is not valid"},
	order.CodeInvalidFulfilmentID: {http.StatusBadRequest, "The fulfilment ID is not valid"},
	order.CodeUnknownCurrency:     {http.StatusBadRequest, "The currency is not known"},
	order.CodeAmountOverflow:      {http.StatusBadRequest, "The amount is too large"},
	order.CodeTotalMismatch:       {http.StatusConflict, "The total is another"},
	order.CodePaymentRequired:     {http.StatusConflict, "A payment is required first"},
	order.CodeOverAuthorization:   {http.StatusConflict, "More than the total would be authorized"},
	order.CodeOverCapture:         {http.StatusConflict, "More than is authorized would be captured"},
	order.CodeAlreadyShipped:      {http.StatusConflict, "The order has shipped"},
	order.CodeNothingToShip:       {http.StatusConflict, "There is nothing left to ship"},
	order.CodeOverShipment:        {http.StatusConflict, "More than is left would be shipped"},
	order.CodeBackordered:         {http.StatusConflict, "Stock is still to come"},
	order.CodeTooManyFulfilments:  {http.StatusConflict, "The order has too many fulfilments"},
	order.CodeFulfilmentExists:    {http.StatusConflict, "The fulfilment is there already"},
	order.CodeUnknownFulfilment:   {http.StatusNotFound, "The fulfilment is not known"},
	order.CodeAlreadyDelivered:    {http.StatusConflict, "The fulfilment is delivered already"},
}
