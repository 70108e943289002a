package command

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard"
)

// Advice is what docs/errors.md says of a code: why clients get it, and what to do then.
type Advice struct{ Cause, Remedy string }

// AdviceOn returns the advice on a code of the table.
func AdviceOn(code string) Advice { return advice[code] }

const (
	fixRequest  = "Correct the request; `errors` points at the fault. A corrected request may keep its key, since nothing was recorded."
	readAgain   = "Read the order, and decide again by what it says."
	retrySame   = "Retry with the same Idempotency-Key, after Retry-After."
	useSmaller  = "Ask for less; the order's lines say how much is left."
	newInstance = "Use a new order, or fewer and larger steps."
)

// advice has every code of kinds.
var advice = map[string]Advice{
	CodeMalformedJSON:            {"The body, or a line of bulk, is not JSON.", fixRequest},
	CodeUnknownField:             {"The body has a member that the command does not take, often a misspelt one.", fixRequest},
	CodeDuplicateField:           {"The body names a member twice, or one that stands in the path.", fixRequest},
	CodeWrongType:                {"A member is, say, a string where a number is due. Quantities are numbers, money is a string.", fixRequest},
	CodeMissingField:             {"The command needs a member that is not there.", fixRequest},
	CodeTooManyLines:             {"An order, a shipment or a document has at most 2,000 lines.", "Split it."},
	CodeBadAction:                {"The `action` of a payment or a fulfilment is not one that there is, or not that of the command.", fixRequest},
	CodeBadEnvelope:              {"A line of bulk names an order for a command on stock, a SKU for one on orders, or an order for one that makes its own.", "Leave the member out."},
	CodeUnknownCommand:           {"The `type` of a line of bulk is no command.", "Use one of the types in the OpenAPI document."},
	"invalid_occurred_at":        {"The time is not RFC 3339, or outside of the years 1970 to 2199.", fixRequest},
	"invalid_customer_id":        {"The customer ID is longer than 128 bytes, or holds control characters.", fixRequest},
	"invalid_country":            {"The country is longer than 64 bytes, or holds control characters.", fixRequest},
	"invalid_tracking_reference": {"The tracking reference is longer than 255 bytes, or holds control characters.", fixRequest},
	"invalid_payment_reference":  {"The payment reference is longer than 255 bytes, holds control characters, or stands there without `capture`.", fixRequest},

	CodeKeyRequired:    {"The command would do its thing twice if it were sent twice, and has no key to tell.", "Make a key, send it as Idempotency-Key, and keep it for retries."},
	CodeBadKey:         {"The key is longer than 255 characters, or is not printable ASCII.", "Use a UUID."},
	CodeBadIfMatch:     {"If-Match is no ETag of ours, or stands on a command that makes something new.", "Send the ETag as you got it, or leave it out."},
	CodeBadPosition:    {"Holdfast-Min-Position is no position.", "Send a Holdfast-Position as you got it."},
	CodeBadParameter:   {"A parameter of the query is not known, is there twice, or has a value that it cannot have.", fixRequest},
	CodeBadCursor:      {"The cursor is not one of this list with this filter.", "Send `next_cursor` as you got it, with the same filter."},
	CodeTooManySKUs:    {"A look-up takes at most 1,000 SKUs.", "Split it."},
	CodeNotFound:       {"There is no such route, or nothing under this name.", "Check the path; SKUs are percent-encoded in it."},
	CodeMethod:         {"The route has other methods.", "Use one that Allow names."},
	CodeMediaType:      {"The body's content type is not the one that the route takes.", "Send application/json; application/x-ndjson for bulk."},
	CodeNotAcceptable:  {"Accept asks for a format that the route does not have.", "Ask for one that `detail` names, or leave Accept out."},
	CodeBodyTooLarge:   {"The body is over 4 MiB.", "Split it, or use bulk."},
	CodeLineTooLong:    {"A line of bulk is over 1 MiB; the stream ends there.", "Split the command. What was answered before it stands."},
	CodeRequestTimeout: {"The body did not arrive within 10 seconds, or a stream stood still for 30.", retrySame},
	CodePosition:       {"The view has not reached the position within 5 seconds; `reached` says how far it is.", "Read again later, or without the position."},
	CodeInternal:       {"A fault of the service; its log has the reason.", "Retry with the same Idempotency-Key; report it when it stays."},

	shard.CodeUnavailable: {"No replica could say for certain: a shard changes hands, or a commit is unclear. The command may have taken effect.", retrySame},
	shard.CodeTooManyRequests: {"The shard has 16,384 commands waiting; or the replica that serves it has 65,536 messages, or 64 MiB, waiting at the one that took the request; or, for a new order or document, 32,768 orders of the shard wait for stock of other shards. Nothing was written.",
		retrySame + " Wait longer each time, and send fewer at a time where it comes often."},
	shard.CodeKeyReused:       {"The key came before with another request.", "Use a new key for a new request, and the same body for a retry."},
	shard.CodeVersionMismatch: {"If-Match names another version than the current one, which stands in ETag and `current_version`.", "Read, decide again, and send the command with the current version."},
	shard.CodeOrderNotFound:   {"No order has this ID; for a read, or the view has not seen it yet.", "Check the ID; for a read, send the Holdfast-Position of the answer that made the order."},
	shard.CodeUnknownSKU:      {"The SKU is not registered: 404 for a command on stock, 409 for an order that names it.", "Register the item first, or correct the SKU; an order that was refused so is rejected, and needs a new key."},
	shard.CodeInsufficient:    {"There is less than was asked for; `short` says of which SKUs, and how much there is. For a command on stock: the state has less.", "Ask for what is available. An order that was refused so is rejected, and needs a new key; an order whose amendment was refused so stays as it was."},
	shard.CodeTooLarge:        {"The events of the command would not fit into a record of the log (900 KB).", "Split the order."},

	inventory.CodeCountOutdated:      {"on_hand of the location has changed since the version that counted_at_version names: goods came, left or were counted.", "Count again, from the item's version as it is now; current_on_hand is what the books say."},
	inventory.CodeInvalidCountedAt:   {"counted_at_version is less than 1, or a version that the item has not reached.", "Send the item's version as it was read when counting began."},
	inventory.CodeNegativeOnHand:     {"The adjustment would take on_hand of the location below 0.", "Read the item; count the location if the books are wrong."},
	inventory.CodeInvalidSKU:         {"The SKU is empty, longer than 64 bytes, has outer spaces or control characters.", fixRequest},
	inventory.CodeInvalidQuantity:    {"Quantities are whole, 1 to 1,000,000,000; levels may be 0.", fixRequest},
	inventory.CodeInvalidDelta:       {"The change is 0, or more than 1,000,000,000 either way.", fixRequest},
	inventory.CodeInvalidReason:      {"The reason is not one of those that there are, or is longer than 255 bytes.", fixRequest},
	inventory.CodeInvalidLocation:    {"The location is longer than 64 bytes, has outer spaces or control characters.", fixRequest},
	inventory.CodeInvalidReference:   {"The reference is longer than 255 bytes, or holds control characters.", fixRequest},
	inventory.CodeInvalidDescription: {"The description is longer than 1,024 bytes, or holds control characters.", fixRequest},
	inventory.CodeInvalidState:       {"Stock moves between available, damaged, quality_control and safety_stock, from one to another.", fixRequest},
	inventory.CodeInvalidStep:        {"A message between shards made no sense: a fault of the service.", "Report it."},
	inventory.CodeTooManyLocations:   {"An item has at most 1,000 locations, and keeps those that it had.", "Use one that the item has."},
	inventory.CodeInvalidTransferID:  {"The transfer ID is empty, or longer than 64 bytes.", "Send the transfer_id as you got it."},
	inventory.CodeSameLocation:       {"A transfer leaves one location for another; both are the same.", fixRequest},
	inventory.CodeTransferExists:     {"A transfer of this ID is on its way.", "Use a new key for a new transfer."},
	inventory.CodeUnknownTransfer:    {"The item has no transfer of this ID on its way: it never left, or all of it has arrived or is missing.", "Read the item; adjust or receive stock if more has come."},
	inventory.CodeOverTransfer:       {"More would arrive, or be missing, than is on its way.", "Receive what is left of the transfer, and adjust the rest."},
	inventory.CodeTooManyTransfers:   {"An item has at most 1,000 transfers on their way.", "Receive those that have arrived, or say what of them is missing."},
	inventory.CodeTooManyDeliveries:  {"An item expects at most 1,000 deliveries at a time.", "Set those that will not come any more to 0."},
	inventory.CodeQuantityOverflow:   {"A level would pass 2^60 units.", "Correct the item's stock: such a figure is a mistake."},

	order.CodeAlreadyPlaced:          {"The order is there.", "Use a new key for a new order."},
	order.CodeIllegalTransition:      {"The order's status does not take the command; `current_status` says where it stands, `allowed` what it takes. See [states](states.md).", readAgain},
	order.CodeInvalidLines:           {"The command needs lines and has none, or has too many.", fixRequest},
	order.CodeInvalidPrice:           {"A price is a plain decimal of 0 or more, with at most 6 decimals.", fixRequest},
	order.CodeInvalidAmount:          {"An amount is a plain decimal of more than 0, with at most 6 decimals.", fixRequest},
	order.CodeInvalidTerms:           {"Terms are prepaid or on_account.", fixRequest},
	order.CodeInvalidKind:            {"A past document is an order or a credit note.", fixRequest},
	order.CodeInvalidOrderID:         {"The order ID is longer than 128 bytes, has outer spaces or control characters.", fixRequest},
	order.CodeInvalidFulfilmentID:    {"The fulfilment ID is empty, or longer than 64 bytes.", "Send the fulfilment_id as you got it."},
	order.CodeUnknownCurrency:        {"The currency is no code of ISO 4217, in capital letters.", fixRequest},
	order.CodeAmountOverflow:         {"The lines add up to more than an amount can hold.", "Split the order."},
	order.CodeTotalMismatch:          {"The lines add up to another total than `total` expects: prices have changed, or are rounded in another way.", "Show the customer the new total, and place the order with it under a new key."},
	order.CodePaymentRequired:        {"The order is prepaid, and its total is not authorized yet, or not any more since an amendment.", "Authorize the rest; the order is then confirmed by itself, or may ship."},
	order.CodeOverAuthorization:      {"More than the order's total, without what came back, would be authorized.", "Void what is too much at the provider. A step that was reported before is found by its reference."},
	order.CodeOverCapture:            {"More than what was ever authorized and is not captured would be captured.", "Record the authorization first, or send the amount that the provider took."},
	order.CodeOverVoid:               {"More than what is authorized and neither captured nor voided would be voided.", "Void less, or send no amount to void all."},
	order.CodeNothingToVoid:          {"Nothing is authorized that is not captured or voided.", readAgain},
	order.CodeOverRefund:             {"More than what is captured and not refunded would be refunded.", "Refund less, or send no amount to refund all."},
	order.CodeNothingToRefund:        {"Nothing is captured that is not refunded.", readAgain},
	order.CodeTooManyPayments:        {"An order remembers at most 1,000 payments with a reference, and moves its deadline at most 10 times.", newInstance},
	order.CodePaymentReferenceReused: {"The order has this provider's reference for the same action with another amount.", "Send the amount as before for a repeat, and another reference for another payment."},
	order.CodeOverCancellation:       {"More would be cancelled than has not shipped and is in no fulfilment.", "Cancel the fulfilment first, or ask for less."},
	order.CodeNothingLeft:            {"All that is left of an order of which nothing has shipped would be cancelled, or an amendment leaves nothing to ship.", "Cancel the order as a whole, or its lines once something has shipped."},
	order.CodeUnknownLine:            {"The order has several lines of the SKU, or not at the place that `line` says; lines count from 1.", "Read the order, and name the line by its place."},
	order.CodeOverAmendment:          {"A line would be less than what has shipped and was cancelled of it, or its SKU less than what is set aside for a fulfilment.", "Ask for more, or cancel the fulfilment first."},
	order.CodeAmendmentPending:       {"Stock has not answered an amendment of the order yet.", "Wait until the timeline has `order_amended` or `amendment_declined`, then send the command again."},
	order.CodeTooManyAmendments:      {"An order is amended at most 1,000 times.", newInstance},
	order.CodeAlreadyRefunded:        {"The amendment would raise the total of an order that money has gone back of, or is due to.", "Place another order for what comes on top."},
	shard.CodeAmendmentDeclined:      {"The order ended or shipped, or money went back, before stock had answered the amendment, or the key is that of an amendment that was declined before a newer one.", readAgain},
	order.CodeFulfilmentShipped:      {"The fulfilment has left.", readAgain},
	order.CodeAlreadyShipped:         {"Part of the order has shipped.", "Cancel the lines that have not; take the others back as a return."},
	order.CodeNothingToShip:          {"Everything has shipped, or is in a fulfilment.", readAgain},
	order.CodeNothingToCapture:       {"A shipment should capture its payment, and the prepaid order is not paid and has nothing authorized any more.", "Authorize the payment again, or ship without `capture`."},
	order.CodeOverShipment:           {"More would ship than is left of the SKU and in no other fulfilment.", useSmaller},
	order.CodeBackordered:            {"Part of what would ship waits for stock to come.", "Ship the rest, and this part once `backordered` has fallen."},
	order.CodeTooManyFulfilments:     {"An order has at most 1,000 fulfilments.", newInstance},
	order.CodeFulfilmentExists:       {"The order has a fulfilment of this ID.", "Use a new key for a new fulfilment."},
	order.CodeUnknownFulfilment:      {"The order has no fulfilment of this ID that the command fits: it was never made, was cancelled, or has not left.", readAgain},
	order.CodeInvalidAllocation:      {"The policy is not single_location, fewest_locations or split, or its locations are more than 100, twice there, or no names of locations.", fixRequest},
	order.CodeInvalidReturnID:        {"The return ID is empty, or longer than 64 bytes.", "Send the return_id as you got it."},
	order.CodeInvalidCondition:       {"Goods come back resellable or damaged.", fixRequest},
	order.CodeNothingToReturn:        {"Nothing has been delivered that is not back, or asked back, already.", "Record the delivery first."},
	order.CodeOverReturn:             {"More would come back than was delivered and is not asked back, or than the return has still to come.", useSmaller},
	order.CodeTooManyReturns:         {"An order has at most 1,000 returns.", newInstance},
	order.CodeReturnExists:           {"The order has a return of this ID.", "Use a new key for a new return."},
	order.CodeUnknownReturn:          {"The order has no return of this ID.", readAgain},
	order.CodeReturnClosed:           {"All of the return has come, or was given up.", "Request another return for what else comes back."},
	order.CodeOverDelivery:           {"More of a SKU would arrive than the shipment has on its way.", useSmaller},
	order.CodeAlreadyDelivered:       {"The shipment has been recorded as delivered.", "Nothing: what you want is so."},
}
