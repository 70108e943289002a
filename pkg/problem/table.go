package problem

import "net/http"

// Remedies that several problems share.
const (
	fixRequest = "Correct the request; `errors` points at the fault. A corrected request may keep its key, since " +
		"nothing was recorded."
	readAgain  = "Read the order, and decide again by what it says."
	retrySame  = "Retry with the same Idempotency-Key, after Retry-After."
	askForLess = "Ask for less; the order's lines say how much is left."
	newOrder   = "Use a new order, or fewer and larger steps."
)

// rows is the table of all problems. Whoever adds a code to a rule adds its row here: a test holds the domain's codes
// to this table, and docs/errors.md is made from it. Once published, a code keeps its name and its status.
//
// unknown_sku has two statuses: 404 for a command on stock, as here, and 409 for an order that names the SKU.
var rows = []Row{
	// Requests that cannot be read, and answers that the HTTP side gives by itself.
	{
		Code: MalformedJSON, Status: http.StatusBadRequest,
		Title:  "The body is not well-formed JSON",
		Cause:  "The body, or a line of bulk, is not JSON.",
		Remedy: fixRequest,
	},
	{
		Code: UnknownField, Status: http.StatusBadRequest,
		Title:  "The body has a member that is not known",
		Cause:  "The body has a member that the command does not take, often a misspelt one.",
		Remedy: fixRequest,
	},
	{
		Code: DuplicateField, Status: http.StatusBadRequest,
		Title:  "The body has a member twice",
		Cause:  "The body names a member twice, or one that stands in the path.",
		Remedy: fixRequest,
	},
	{
		Code: WrongType, Status: http.StatusBadRequest,
		Title:  "A member has the wrong type",
		Cause:  "A member is, say, a string where a number is due. Quantities are numbers, money is a string.",
		Remedy: fixRequest,
	},
	{
		Code: MissingField, Status: http.StatusBadRequest,
		Title:  "A required member is missing",
		Cause:  "The command needs a member that is not there.",
		Remedy: fixRequest,
	},
	{
		Code: TooManyLines, Status: http.StatusBadRequest,
		Title:  "Too many lines",
		Cause:  "An order, a shipment or a document has at most 2,000 lines.",
		Remedy: "Split it.",
	},
	{
		Code: InvalidAction, Status: http.StatusBadRequest,
		Title:  "The action is not known",
		Cause:  "The `action` of a payment or a fulfilment is not one that there is, or not that of the command.",
		Remedy: fixRequest,
	},
	{
		Code: InvalidPurpose, Status: http.StatusBadRequest,
		Title:  "The purpose is not known",
		Cause:  "The `purpose` of a refund is not `goodwill`.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_backordered_reason", Status: http.StatusBadRequest,
		Title:  "The reason for a shipment of backordered goods is not valid",
		Cause:  "The `backordered_reason` is longer than 255 characters, or holds control characters.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_uncovered_reason", Status: http.StatusBadRequest,
		Title:  "The reason for a shipment without cover is not valid",
		Cause:  "The `uncovered_reason` is longer than 255 characters, or holds control characters.",
		Remedy: fixRequest,
	},
	{
		Code: InvalidLine, Status: http.StatusBadRequest,
		Title: "The line does not fit its command",
		Cause: "A line of bulk names an order for a command on stock, a SKU for one on orders, or an order for one " +
			"that makes its own.",
		Remedy: "Leave the member out.",
	},
	{
		Code: UnknownCommand, Status: http.StatusBadRequest,
		Title:  "There is no such command",
		Cause:  "The `type` of a line of bulk is no command.",
		Remedy: "Use one of the types in the OpenAPI document.",
	},
	{
		Code: "invalid_occurred_at", Status: http.StatusBadRequest,
		Title: "The time is not valid",
		Cause: "The time is not RFC 3339, outside of the years 1970 to 2199, or more than 5 minutes after the server's " +
			"clock: it is the time when something has happened.",
		Remedy: "Correct the time. If it is right, set the clock of the server.",
	},
	{
		Code: "invalid_customer_id", Status: http.StatusBadRequest,
		Title:  "The customer ID is not valid",
		Cause:  "The customer ID is longer than 128 characters, or cannot name something: see [names](names.md).",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_country", Status: http.StatusBadRequest,
		Title:  "The country is not valid",
		Cause:  "The country is longer than 64 characters, or cannot name something: see [names](names.md).",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_tracking_reference", Status: http.StatusBadRequest,
		Title:  "The tracking reference is not valid",
		Cause:  "The tracking reference is longer than 255 characters, or holds control characters.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_payment_reference", Status: http.StatusBadRequest,
		Title: "The payment reference is not valid",
		Cause: "The payment reference is longer than 255 characters, holds control characters, or stands there without " +
			"`capture`.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_provider", Status: http.StatusBadRequest,
		Title:  "The provider's name is not valid",
		Cause:  "`provider` is longer than 50 characters, or cannot name something: see [names](names.md).",
		Remedy: "Send the payment provider's name, such as `stripe`, always in the same way; or leave it out.",
	},
	{
		Code: "invalid_provider_event_id", Status: http.StatusBadRequest,
		Title:  "The provider's ID is not valid",
		Cause:  "`provider_event_id` is empty, longer than 100 characters, or holds control characters.",
		Remedy: fixRequest,
	},
	{
		Code: KeyRequired, Status: http.StatusBadRequest,
		Title:  "An Idempotency-Key is required",
		Cause:  "The command would do its thing twice if it were sent twice, and has no key to tell.",
		Remedy: "Make a key, send it as Idempotency-Key, and keep it for retries.",
	},
	{
		Code: InvalidKey, Status: http.StatusBadRequest,
		Title:  "The idempotency key is not valid",
		Cause:  "The key is empty or longer than 255 characters, or is not printable ASCII.",
		Remedy: "Use a UUID.",
	},
	{
		Code: InvalidActor, Status: http.StatusBadRequest,
		Title: "Holdfast-Actor is not valid",
		Cause: "Holdfast-Actor is empty or longer than 100 characters, is not UTF-8, begins or ends with a space, or holds " +
			"control characters.",
		Remedy: "Send the name or the ID of who asks for the command, as UTF-8 text, or leave the header out.",
	},
	{
		Code: InvalidIfMatch, Status: http.StatusBadRequest,
		Title:  "If-Match is not valid",
		Cause:  "If-Match is no ETag of ours, or stands on a command that makes something new.",
		Remedy: "Send the ETag as you got it, or leave it out.",
	},
	{
		Code: InvalidPosition, Status: http.StatusBadRequest,
		Title:  "The position is not valid",
		Cause:  "Holdfast-Min-Position, `after` or Last-Event-ID is no position.",
		Remedy: "Send a Holdfast-Position, or the `id` of an event, as you got it.",
	},
	{
		Code: LogRestored, Status: http.StatusConflict,
		Title: "The position or the cursor is of another log",
		Cause: "The position or the cursor was answered before the platform was restored from a backup, or by another " +
			"platform. It means nothing here.",
		Remedy: "Forget stored positions and cursors, and read again without them: a list from its start. Whether the " +
			"newest commands before the restore are in the log, the same command with the same Idempotency-Key tells.",
	},
	{
		Code: PositionAhead, Status: http.StatusConflict,
		Title: "The position lies behind the end of the log",
		Cause: "`as_of`, `after` or Last-Event-ID is a position that the log has not reached: it is of another platform, " +
			"or of a topic that was deleted and made again, or was changed.",
		Remedy: "Send a Holdfast-Position, the position of an entry of a ledger, or the `id` of an event, as you got it.",
	},
	{
		Code: EventsDeleted, Status: http.StatusGone,
		Title: "Events behind the position are gone",
		Cause: "The log begins behind the position: its first events were deleted, which Holdfast never does.",
		Remedy: "Tell the operators: the log has to be restored from a backup (docs/runbook.md). The position in `detail` " +
			"is the first that there still is.",
	},
	{
		Code: InvalidParameter, Status: http.StatusBadRequest,
		Title:  "A parameter is not valid",
		Cause:  "A parameter of the query is not known, is there twice, or has a value that it cannot have.",
		Remedy: fixRequest,
	},
	{
		Code: InvalidCursor, Status: http.StatusBadRequest,
		Title:  "The cursor is not valid",
		Cause:  "The cursor is not one of this list with this filter.",
		Remedy: "Send `next_cursor` as you got it, with the same filter.",
	},
	{
		Code: UnknownInsight, Status: http.StatusNotFound,
		Title:  "There is no such insight",
		Cause:  "No insight of this name was put in place, or none of its versions is live yet.",
		Remedy: "GET /v1/insights lists those that there are.",
	},
	{
		Code: UnknownVersion, Status: http.StatusNotFound,
		Title:  "The insight has no such version",
		Cause:  "`version` is neither a fingerprint nor the ID of a replay of the insight, or its table was dropped.",
		Remedy: "GET /v1/insights lists the versions. Leave `version` out to ask the live one.",
	},
	{
		Code: InvalidDefinition, Status: http.StatusUnprocessableEntity,
		Title:  "The definition is not valid",
		Cause:  "The definition of an insight has faults; `errors` has each with its line and member.",
		Remedy: "Correct them. `holdfast insight validate` finds the same ones.",
	},
	{
		Code: QuestionTooLarge, Status: http.StatusUnprocessableEntity,
		Title: "The question takes too much",
		Cause: "The answer takes more time, rows or memory than it may. One that is not kept is computed from all events: " +
			"in 30 s, from 100 million rows, with 2 GiB. A page of a report may take a minute, and all rows as CSV 10 minutes " +
			"with 2 GiB.",
		Remedy: "Ask for keys that are kept together, whole days or months, a shorter time, or fewer measures. " +
			"The same question again takes as much.",
	},
	{
		Code: PreviewBusy, Status: http.StatusTooManyRequests,
		Title:  "Another preview is under way",
		Cause:  "A replica computes one preview at a time.",
		Remedy: "Retry after Retry-After.",
	},
	{
		Code: TooManySKUs, Status: http.StatusBadRequest,
		Title:  "Too many SKUs",
		Cause:  "A look-up takes at most 1,000 SKUs.",
		Remedy: "Split it.",
	},
	{
		Code: DuplicateHeader, Status: http.StatusBadRequest,
		Title: "A header is there twice",
		Cause: "Idempotency-Key, Holdfast-Actor or Content-Type is there twice, so that nobody can tell which one is " +
			"meant.",
		Remedy: "Send it once.",
	},
	{
		Code: NotFound, Status: http.StatusNotFound,
		Title:  "There is nothing here",
		Cause:  "There is no such route, or nothing under this name.",
		Remedy: "Check the path; SKUs are percent-encoded in it.",
	},
	{
		Code: MethodNotAllowed, Status: http.StatusMethodNotAllowed,
		Title:  "The method is not allowed here",
		Cause:  "The route has other methods.",
		Remedy: "Use one that Allow names.",
	},
	{
		Code: Unauthenticated, Status: http.StatusUnauthorized,
		Title: "The request needs a valid API key",
		Cause: "The service asks for API keys (`--access keys`), and the request has none, or one that is mistyped, " +
			"unknown, expired or revoked. Nobody outside is told which.",
		Remedy: "Send a key as `Authorization: Bearer hf_…`. An operator sees with `holdfast keys list` which keys there " +
			"are and which have ended, and makes one with `holdfast keys create` (docs/access.md).",
	},
	{
		Code: InsufficientScope, Status: http.StatusForbidden,
		Title: "The API key does not have the scope",
		Cause: "The key is valid, and may not do this. `scopes` names what it needs, and `detail` says of several " +
			"whether all are needed or one.",
		Remedy: "Use a key that has the scope, or ask for one: scopes of a key cannot be changed.",
	},
	{
		Code: AccessOff, Status: http.StatusForbidden,
		Title: "The service asks nobody for API keys",
		Cause: "The service runs with `--access off`. Whoever reached it could make a key, and use it once access is on.",
		Remedy: "Make and revoke keys with `holdfast keys`, which needs access to Kafka, or start the service with " +
			"`--access keys`.",
	},
	{
		Code: InvalidAPIKey, Status: http.StatusBadRequest,
		Title: "The API key cannot be made so",
		Cause: "The name is longer than 100 characters or holds control characters, a scope is not known, none is named, " +
			"or the time of expiry is no time after now.",
		Remedy: fixRequest,
	},
	{
		Code: UnknownAPIKey, Status: http.StatusNotFound,
		Title:  "The API key is not known",
		Cause:  "No key has this ID. An ID is the part of a key before the last `_`, of 12 characters.",
		Remedy: "`holdfast keys list` lists those that there are.",
	},
	{
		Code: APIKeyExists, Status: http.StatusConflict,
		Title:  "The request has made its API key already",
		Cause:  "A request with this Idempotency-Key has made a key. Its secret was in that answer, and is kept nowhere.",
		Remedy: "If the answer was lost, revoke the key that `detail` names, and make another under a new Idempotency-Key.",
	},
	{
		Code: TooManyAPIKeys, Status: http.StatusConflict,
		Title:  "There are too many API keys",
		Cause:  "1,000 keys are active.",
		Remedy: "Revoke keys that nobody uses: docs/access.md says how to find them.",
	},
	{
		Code: CrossOrigin, Status: http.StatusForbidden,
		Title: "The request comes from a web page of another origin",
		Cause: "A browser sent the request for a page that is not of this server: Sec-Fetch-Site or Origin says so. " +
			"Such a page could use whatever the browser reaches.",
		Remedy: "Send it from a program, or from a server of your own that the page calls.",
	},
	{
		Code: UnknownHost, Status: http.StatusMisdirectedRequest,
		Title: "The server is not reached under this name",
		Cause: "The Host header has a name that the server does not know. A web page can make its own name point to this " +
			"machine, so an unknown one is refused.",
		Remedy: "Use localhost or the IP address, or start the server with the name in --allowed-hosts.",
	},
	{
		Code: UnsupportedMediaType, Status: http.StatusUnsupportedMediaType,
		Title: "The content type is not supported",
		Cause: "The body's Content-Type is missing or is not the one that the route takes, or the body is " +
			"compressed (Content-Encoding).",
		Remedy: "Send application/json; application/x-ndjson for bulk. Send it uncompressed.",
	},
	{
		Code: NotAcceptable, Status: http.StatusNotAcceptable,
		Title:  "No such format is offered",
		Cause:  "Accept asks for a format that the route does not have, or for CSV over HTTP/1.0, which cannot tell its end.",
		Remedy: "Ask for a format that `detail` names, or leave Accept out. Ask for CSV over HTTP/1.1 or later.",
	},
	{
		Code: BodyTooLarge, Status: http.StatusRequestEntityTooLarge,
		Title:  "The body is too large",
		Cause:  "The body is over 4 MiB.",
		Remedy: "Split it, or use bulk.",
	},
	{
		Code: LineTooLong, Status: http.StatusRequestEntityTooLarge,
		Title:  "The line is too long",
		Cause:  "A line of bulk is over 1 MiB; the stream ends there.",
		Remedy: "Split the command. What was answered before it stands.",
	},
	{
		Code: RequestTimeout, Status: http.StatusRequestTimeout,
		Title:  "The request did not arrive in time",
		Cause:  "The body did not arrive within 10 seconds, or a stream stood still for 30.",
		Remedy: retrySame,
	},
	{
		Code: PositionNotReached, Status: http.StatusServiceUnavailable,
		Title: "The view has not reached the position yet",
		Cause: "The view has not reached the position, or what was in the log at the time `as_of`, within 5 seconds; " +
			"`reached` says how far it is.",
		Remedy: "Read again later, or without the position.",
	},
	{
		Code: ViewStarting, Status: http.StatusServiceUnavailable,
		Title: "The view is being read from the log",
		Cause: "The service has started, and its view has not been at the end of the log since: it may lack what was " +
			"asked for. The detail says how much is to go; `/readyz` is not ready meanwhile.",
		Remedy: "Read again later, or from another replica.",
	},
	{
		Code: Internal, Status: http.StatusInternalServerError,
		Title:  "Something went wrong inside",
		Cause:  "A fault of the service; its log has the reason.",
		Remedy: "Retry with the same Idempotency-Key; report it when it stays.",
	},
	// Answers of the write side that no rule of the domain gives.
	{
		Code: Unavailable, Status: http.StatusServiceUnavailable,
		Title: "Not available now; retry with the same key",
		Cause: "No replica could say for certain: a shard has had no owner for five seconds, or a commit is unclear. " +
			"The command may have taken effect. Or the request was under way for long, and the same request was " +
			"refused meanwhile: then it was not done.",
		Remedy: retrySame,
	},
	{
		Code: TooManyStreams, Status: http.StatusServiceUnavailable,
		Title:  "Too many streams",
		Cause:  "This replica has as many streams of orders and stock as `--max-streams` of query-api allows.",
		Remedy: "Open the stream again after Retry-After, at another replica. Where this happens often, run more replicas.",
	},
	{
		Code: TooManyRequests, Status: http.StatusTooManyRequests,
		Title: "Too many requests; retry with the same key",
		Cause: "The shard has 16,384 commands waiting, or would come to the command later than it may " +
			"(--max-queue-wait); or the replica that serves it has 65,536 messages, or 64 " +
			"MiB, waiting at the one that took the request; or, for a new order or document, 32,768 orders of " +
			"the shard wait for stock of other shards; or the requests under way take all the memory that there is for " +
			"them (--max-request-memory); or 64 streams of replays' progress are open. Nothing was written.",
		Remedy: retrySame + " Wait longer each time, and send fewer at a time where it comes often.",
	},
	{
		Code: KeyReused, Status: http.StatusUnprocessableEntity,
		Title:  "The idempotency key was used for another request",
		Cause:  "The key came before with another request. `order_id`, where it is there, is the order that it placed.",
		Remedy: "Use a new key for a new request, and the same body for a retry.",
	},
	{
		Code: VersionMismatch, Status: http.StatusPreconditionFailed,
		Title:  "The version is another",
		Cause:  "If-Match names another version than the current one, which stands in ETag and `current_version`.",
		Remedy: "Read, decide again, and send the command with the current version.",
	},
	{
		Code: OrderNotFound, Status: http.StatusNotFound,
		Title:  "The order is not known",
		Cause:  "No order has this ID; for a read, or the view has not seen it yet.",
		Remedy: "Check the ID; for a read, send the Holdfast-Position of the answer that made the order.",
	},
	{
		Code: UnknownSKU, Status: http.StatusNotFound,
		Title: "The SKU is not known",
		Cause: "The SKU is not registered: 404 for a command on stock, 409 for an order that names it.",
		Remedy: "Register the item first, or correct the SKU; an order that was refused so is rejected, and needs a " +
			"new key.",
	},
	{
		Code: InsufficientStock, Status: http.StatusConflict,
		Title: "Not enough stock",
		Cause: "There is less than was asked for; `short` says of which SKUs, and how much there is. For a command " +
			"on stock: the state has less.",
		Remedy: "Ask for what is available. An order that was refused so is rejected, and needs a new key; an order " +
			"whose amendment was refused so stays as it was.",
	},
	{
		Code: CommandTooLarge, Status: http.StatusRequestEntityTooLarge,
		Title:  "The command is too large",
		Cause:  "The events of the command would not fit into a record of the log (900 KB).",
		Remedy: "Split the order.",
	},
	{
		Code: AmendmentDeclined, Status: http.StatusConflict,
		Title: "The amendment was declined",
		Cause: "The order ended or shipped, or money went back, before stock had answered the amendment, or the key " +
			"is that of an amendment that was declined before a newer one.",
		Remedy: readAgain,
	},
	// Refusals by the rules of stock (pkg/inventory).
	{
		Code: CountOutdated, Status: http.StatusConflict,
		Title: "Stock has moved since counting began",
		Cause: "on_hand of the location has changed since the version that counted_at_version names: goods came, " +
			"left or were counted.",
		Remedy: "Count again, from the item's version as it is now; current_on_hand is what the books say.",
	},
	{
		Code: "invalid_counted_at_version", Status: http.StatusBadRequest,
		Title:  "The version when counting began is not valid",
		Cause:  "counted_at_version is less than 1, or a version that the item has not reached.",
		Remedy: "Send the item's version as it was read when counting began.",
	},
	{
		Code: "negative_on_hand", Status: http.StatusConflict,
		Title:  "There is not that much on hand",
		Cause:  "The adjustment would take on_hand of the location below 0.",
		Remedy: "Read the item; count the location if the books are wrong.",
	},
	{
		Code: InvalidSKU, Status: http.StatusBadRequest,
		Title:  "The SKU is not valid",
		Cause:  "The SKU is empty, longer than 64 characters, or cannot name a new item: see [names](names.md).",
		Remedy: fixRequest,
	},
	{
		Code: InvalidQuantity, Status: http.StatusBadRequest,
		Title:  "A quantity is not valid",
		Cause:  "Quantities are whole, 1 to 1,000,000,000; levels may be 0.",
		Remedy: fixRequest,
	},
	{
		Code: InvalidDelta, Status: http.StatusBadRequest,
		Title:  "The change of stock is not valid",
		Cause:  "The change is 0, or more than 1,000,000,000 either way.",
		Remedy: fixRequest,
	},
	{
		Code: InvalidReason, Status: http.StatusBadRequest,
		Title:  "The reason is not valid",
		Cause:  "The reason is not one of those that there are, or is longer than 255 characters.",
		Remedy: fixRequest,
	},
	{
		Code: InvalidLocation, Status: http.StatusBadRequest,
		Title:  "The location is not valid",
		Cause:  "The location is longer than 64 characters, or cannot name a new one: see [names](names.md).",
		Remedy: fixRequest,
	},
	{
		Code: "unknown_location", Status: http.StatusConflict,
		Title: "The location is not known",
		Cause: "The platform has declared its locations, and this is none of them, nor one that the item has had. " +
			"Where one differs in upper and lower case alone, `detail` names it. An operation on the location itself " +
			"answers with 404.",
		Remedy: "Correct the name, or declare the location: `PUT /v1/locations/{location}`, or `holdfast locations put`. " +
			"`GET /v1/locations` lists those that there are. See [locations](names.md#locations).",
	},
	{
		Code: "location_retired", Status: http.StatusConflict,
		Title:  "The location is retired",
		Cause:  "A retired location takes no new goods.",
		Remedy: "Name another location, or reopen this one: `POST /v1/locations/{location}/retirement/reversal`.",
	},
	{
		Code: "location_exists", Status: http.StatusConflict,
		Title:  "There is a location of nearly this name",
		Cause:  "Two locations may not differ in upper and lower case alone. `detail` has the name that there is.",
		Remedy: "Use the location that there is, or another name.",
	},
	{
		Code: "invalid_reference", Status: http.StatusBadRequest,
		Title:  "The reference is not valid",
		Cause:  "The reference is longer than 255 characters, or cannot name something: see [names](names.md).",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_description", Status: http.StatusBadRequest,
		Title:  "The description is not valid",
		Cause:  "The description is longer than 1,024 characters, or holds control characters.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_state", Status: http.StatusBadRequest,
		Title:  "The state of stock is not valid",
		Cause:  "Stock moves between available, damaged, quality_control and safety_stock, from one to another.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_step", Status: http.StatusInternalServerError,
		Title:  "Something went wrong inside",
		Cause:  "A message between shards made no sense: a fault of the service.",
		Remedy: "Report it.",
	},
	{
		Code: "too_many_locations", Status: http.StatusConflict,
		Title:  "There are too many locations",
		Cause:  "An item has at most 1,000 locations, and the catalogue as many. They keep those that they had.",
		Remedy: "Use one that there is.",
	},
	{
		Code: "invalid_transfer_id", Status: http.StatusBadRequest,
		Title:  "The transfer ID is not valid",
		Cause:  "The transfer ID is empty, or longer than 64 bytes.",
		Remedy: "Send the transfer_id as you got it.",
	},
	{
		Code: "same_location", Status: http.StatusBadRequest,
		Title:  "The transfer would stay where it is",
		Cause:  "A transfer leaves one location for another; both are the same.",
		Remedy: fixRequest,
	},
	{
		Code: "transfer_exists", Status: http.StatusConflict,
		Title:  "The transfer is there already",
		Cause:  "A transfer of this ID is on its way.",
		Remedy: "Use a new key for a new transfer.",
	},
	{
		Code: "unknown_transfer", Status: http.StatusNotFound,
		Title:  "The transfer is not known",
		Cause:  "The item has no transfer of this ID on its way: it never left, or all of it has arrived or is missing.",
		Remedy: "Read the item; adjust or receive stock if more has come.",
	},
	{
		Code: "over_transfer", Status: http.StatusConflict,
		Title:  "More than is on its way would arrive",
		Cause:  "More would arrive, or be missing, than is on its way.",
		Remedy: "Receive what is left of the transfer, and adjust the rest.",
	},
	{
		Code: "too_many_transfers", Status: http.StatusConflict,
		Title:  "The item has too many transfers",
		Cause:  "An item has at most 1,000 transfers on their way.",
		Remedy: "Receive those that have arrived, or say what of them is missing.",
	},
	{
		Code: "too_many_deliveries", Status: http.StatusConflict,
		Title: "The item expects too many deliveries",
		Cause: "An item expects at most 1,000 deliveries at a time, and their references have at most 255,000 bytes " +
			"together.",
		Remedy: "Set those that will not come any more to 0.",
	},
	{
		Code: "quantity_overflow", Status: http.StatusConflict,
		Title:  "The quantity is beyond what can be counted",
		Cause:  "A level would pass 2^60 units.",
		Remedy: "Correct the item's stock: such a figure is a mistake.",
	},
	// Refusals by the rules of orders (pkg/order).
	{
		Code: "already_placed", Status: http.StatusConflict,
		Title:  "The order is there already",
		Cause:  "The order is there, or a past document of the same kind and reference that says something else.",
		Remedy: "Use a new key for a new order, and a reference of its own for each document.",
	},
	{
		Code: "illegal_transition", Status: http.StatusConflict,
		Title: "The order's state does not take this command",
		Cause: "The order's status does not take the command; `current_status` says where it stands, `allowed` what " +
			"it takes. See [states](states.md).",
		Remedy: readAgain,
	},
	{
		Code: "invalid_lines", Status: http.StatusBadRequest,
		Title:  "The lines are not valid",
		Cause:  "The command needs lines and has none, or has too many.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_price", Status: http.StatusBadRequest,
		Title:  "A price is not valid",
		Cause:  "A price is a plain decimal of 0 or more, with at most 6 decimals.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_cost", Status: http.StatusBadRequest,
		Title:  "A unit cost is not valid",
		Cause:  "A unit cost is a plain decimal of 0 to 1,000,000,000, with at most 6 decimals.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_amount", Status: http.StatusBadRequest,
		Title:  "The amount is not valid",
		Cause:  "An amount is a plain decimal of more than 0, with at most 6 decimals.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_terms", Status: http.StatusBadRequest,
		Title:  "The payment terms are not valid",
		Cause:  "Terms are prepaid or on_account.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_kind", Status: http.StatusBadRequest,
		Title:  "The kind of document is not valid",
		Cause:  "A past document is an order or a credit note.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_order_id", Status: http.StatusBadRequest,
		Title:  "The order ID is not valid",
		Cause:  "The order ID is longer than 128 bytes, has outer spaces or control characters.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_fulfilment_id", Status: http.StatusBadRequest,
		Title:  "The fulfilment ID is not valid",
		Cause:  "The fulfilment ID is empty, or longer than 64 bytes.",
		Remedy: "Send the fulfilment_id as you got it.",
	},
	{
		Code: "unknown_currency", Status: http.StatusBadRequest,
		Title:  "The currency is not known",
		Cause:  "The currency is no code of ISO 4217, in capital letters.",
		Remedy: fixRequest,
	},
	{
		Code: "amount_overflow", Status: http.StatusBadRequest,
		Title:  "The amount is too large",
		Cause:  "The lines, charges or taxes add up to more than an amount can hold.",
		Remedy: "Split the order.",
	},
	{
		Code: "invalid_charge", Status: http.StatusBadRequest,
		Title: "A charge is not valid",
		Cause: "An order has at most 100 charges, each of a known kind, with an amount of 0 or more and texts of at most " +
			"255 characters. Where a part of a charge is given back, the charge is named by its number, from 1.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_discount", Status: http.StatusBadRequest,
		Title: "A discount is not valid",
		Cause: "A line, and an order, has at most 20 discounts, each of more than 0, and together at most the price of " +
			"what they are on. In an amendment, a line with a discount that grows or gets another price needs `discount`.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_tax", Status: http.StatusBadRequest,
		Title: "A tax is not valid",
		Cause: "A line, and a charge, has at most 10 taxes, with amounts of 0 or more and rates from 0 to 10; taxes that " +
			"are included are together at most what the line or charge costs. In an amendment, a line with a tax that grows " +
			"or gets another price needs `tax`.",
		Remedy: fixRequest,
	},
	{
		Code: "tax_mismatch", Status: http.StatusBadRequest,
		Title: "A tax is not its rate",
		Cause: "The amount of a tax differs from its rate of what the line or charge costs, with its discounts and without " +
			"taxes that are included, by more than half a minor unit of the currency for each unit. Often `taxes_included` is " +
			"missing, or the order's discounts were spread in another way ([pricing](pricing.md)).",
		Remedy: "Correct the amount, which `detail` has, or leave the rate out: the amount is then taken as it is.",
	},
	{
		Code: "invalid_rounding", Status: http.StatusBadRequest,
		Title:  "The rounding is not valid",
		Cause:  "An order is rounded by `order` or by `line`.",
		Remedy: fixRequest,
	},
	{
		Code: "total_mismatch", Status: http.StatusConflict,
		Title: "A sum differs",
		Cause: "The order adds up to another `subtotal`, `discount_total`, `charge_total`, `tax_total` or `total` than the " +
			"request expects: prices have changed, or are rounded in another way. `errors` points at the first sum that " +
			"differs, and `detail` says by how much.",
		Remedy: "Show the customer the new total, and place the order with it under a new key.",
	},
	{
		Code: "unknown_charge", Status: http.StatusConflict,
		Title:  "The charge is not known",
		Cause:  "The order has no charge of this number, or the command names it twice; charges count from 1.",
		Remedy: "Read the order, and name the charge by its place.",
	},
	{
		Code: "over_credit", Status: http.StatusConflict,
		Title:  "More than is left of a charge would be given back",
		Cause:  "The amount is more than what of the charge was not given back before.",
		Remedy: "Ask for less; `detail` says how much is left of the charge.",
	},
	{
		Code: "payment_required", Status: http.StatusConflict,
		Title: "A payment is required first",
		Cause: "The order is prepaid, and its total is not authorized yet, or not any more since an amendment, a void or " +
			"a refund.",
		Remedy: "Authorize the rest; the order is then confirmed by itself, or may ship. To ship without, give an " +
			"`uncovered_reason`.",
	},
	{
		Code: "over_authorization", Status: http.StatusConflict,
		Title:  "More than the total would be authorized",
		Cause:  "More than the order's total, without what came back, would be authorized.",
		Remedy: "Void what is too much at the provider. A step that was reported before is found by its reference.",
	},
	{
		Code: "over_capture", Status: http.StatusConflict,
		Title:  "More than was authorized would be captured",
		Cause:  "More than what was ever authorized and is not captured would be captured, and the capture has no reference.",
		Remedy: "Send the provider's `reference`: the capture is kept, and the authorization may follow. Or send less.",
	},
	{
		Code: "over_void", Status: http.StatusConflict,
		Title: "More than is authorized would be voided",
		Cause: "More than what is authorized and neither captured nor voided would be voided, and the void has no " +
			"reference.",
		Remedy: "Void less, or send no amount to void all. With the provider's `reference` the void waits for its " +
			"authorization.",
	},
	{
		Code: "nothing_to_void", Status: http.StatusConflict,
		Title:  "There is nothing left to void",
		Cause:  "Nothing is authorized that is not captured or voided.",
		Remedy: readAgain,
	},
	{
		Code: "over_refund", Status: http.StatusConflict,
		Title: "More than is captured would be refunded",
		Cause: "More than what is captured and not refunded would be refunded, and the refund has no reference.",
		Remedy: "Refund less, or send no amount to refund all. With the provider's `reference` the refund waits for its " +
			"capture.",
	},
	{
		Code: "nothing_to_refund", Status: http.StatusConflict,
		Title:  "There is nothing left to refund",
		Cause:  "Nothing is captured that is not refunded.",
		Remedy: readAgain,
	},
	{
		Code: "too_many_payments", Status: http.StatusConflict,
		Title:  "The order has too many payments",
		Cause:  "An order remembers at most 1,000 payments with a reference, and moves its deadline at most 10 times.",
		Remedy: newOrder,
	},
	{
		Code: "payment_reference_reused", Status: http.StatusConflict,
		Title: "The payment's reference came with another amount",
		Cause: "The order has this provider's reference for the same action with another amount.",
		Remedy: "Send the amount as before for a repeat, and another reference for another payment; or tell payments that " +
			"share a reference apart by `provider_event_id`.",
	},
	{
		Code: "provider_event_reused", Status: http.StatusConflict,
		Title: "The provider's ID came with something else",
		Cause: "The order has this `provider_event_id` for the same action with another amount or reference.",
		Remedy: "Send what the provider said of this ID for a repeat, and for another payment the ID of its own event. " +
			"`GET /v1/orders/{order_id}` shows what was recorded.",
	},
	{
		Code: "over_cancellation", Status: http.StatusConflict,
		Title:  "More than is left would be cancelled",
		Cause:  "More would be cancelled than has not shipped and is in no fulfilment.",
		Remedy: "Cancel the fulfilment first, or ask for less.",
	},
	{
		Code: "nothing_would_be_left", Status: http.StatusConflict,
		Title: "Nothing would be left of the order",
		Cause: "All that is left of an order of which nothing has shipped would be cancelled, or an amendment " +
			"leaves nothing to ship.",
		Remedy: "Cancel the order as a whole, or its lines once something has shipped.",
	},
	{
		Code: "unknown_line", Status: http.StatusConflict,
		Title:  "The line is not known",
		Cause:  "The order has several lines of the SKU, or not at the place that `line` says; lines count from 1.",
		Remedy: "Read the order, and name the line by its place.",
	},
	{
		Code: "over_amendment", Status: http.StatusConflict,
		Title: "A line would be less than what has happened to it",
		Cause: "A line would be less than what has shipped and was cancelled of it, or its SKU less than what is " +
			"set aside for a fulfilment.",
		Remedy: "Ask for more, or cancel the fulfilment first.",
	},
	{
		Code: "amendment_pending", Status: http.StatusConflict,
		Title:  "An amendment is under way",
		Cause:  "Stock has not answered an amendment of the order yet.",
		Remedy: "Wait until the timeline has `order_amended` or `amendment_declined`, then send the command again.",
	},
	{
		Code: "too_many_amendments", Status: http.StatusConflict,
		Title:  "The order was amended too often",
		Cause:  "An order is amended at most 1,000 times.",
		Remedy: newOrder,
	},
	{
		Code: "already_refunded", Status: http.StatusConflict,
		Title:  "Money has gone back",
		Cause:  "The amendment would raise the total of an order that money has gone back of, or is due to.",
		Remedy: "Place another order for what comes on top.",
	},
	{
		Code: "fulfilment_shipped", Status: http.StatusConflict,
		Title:  "The fulfilment has shipped",
		Cause:  "The fulfilment has left.",
		Remedy: readAgain,
	},
	{
		Code: "already_shipped", Status: http.StatusConflict,
		Title:  "The order has shipped",
		Cause:  "Part of the order has shipped.",
		Remedy: "Cancel the lines that have not; take the others back as a return.",
	},
	{
		Code: "nothing_to_ship", Status: http.StatusConflict,
		Title:  "There is nothing left to ship",
		Cause:  "Everything has shipped, or is in a fulfilment.",
		Remedy: readAgain,
	},
	{
		Code: "over_shipment", Status: http.StatusConflict,
		Title:  "More than is left would be shipped",
		Cause:  "More would ship than is left of the SKU and in no other fulfilment.",
		Remedy: askForLess,
	},
	{
		Code: "backordered", Status: http.StatusConflict,
		Title: "Stock is still to come",
		Cause: "Part of what would ship waits for stock to come, or was found to be missing.",
		Remedy: "Ship the rest, and this part once `backordered` has fallen. If the goods are there all the same, count " +
			"the location, or give a `backordered_reason`.",
	},
	{
		Code: "too_many_fulfilments", Status: http.StatusConflict,
		Title:  "The order has too many fulfilments",
		Cause:  "An order has at most 1,000 fulfilments.",
		Remedy: newOrder,
	},
	{
		Code: "fulfilment_exists", Status: http.StatusConflict,
		Title:  "The fulfilment is there already",
		Cause:  "The order has a fulfilment of this ID.",
		Remedy: "Use a new key for a new fulfilment.",
	},
	{
		Code: "unknown_fulfilment", Status: http.StatusNotFound,
		Title: "The fulfilment is not known",
		Cause: "The order has no fulfilment of this ID that the command fits: it was never made, was cancelled, or " +
			"has not left.",
		Remedy: readAgain,
	},
	{
		Code: "invalid_allocation", Status: http.StatusBadRequest,
		Title: "The allocation is not valid",
		Cause: "The policy is not single_location, fewest_locations or split, or its locations are more than 100, " +
			"twice there, or no names of locations.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_metadata", Status: http.StatusBadRequest,
		Title: "The metadata is not valid",
		Cause: "Metadata has more than 50 entries, or more than 8 KiB of keys and values; a key is not 1 to 40 of the " +
			"characters a-z, A-Z, 0-9, `_`, `.` and `-`; or a value is empty, longer than 500 characters, or holds control " +
			"characters.",
		Remedy: fixRequest,
	},
	{
		Code: "invalid_return_id", Status: http.StatusBadRequest,
		Title:  "The return ID is not valid",
		Cause:  "The return ID is empty, or longer than 64 bytes.",
		Remedy: "Send the return_id as you got it.",
	},
	{
		Code: "invalid_condition", Status: http.StatusBadRequest,
		Title:  "The condition of returned goods is not valid",
		Cause:  "Goods come back resellable or damaged.",
		Remedy: fixRequest,
	},
	{
		Code: "nothing_to_return", Status: http.StatusConflict,
		Title: "There is nothing to return",
		Cause: "Nothing has been delivered that is not back, or asked back, already.",
		Remedy: "Record the delivery first. Goods that came back without having arrived are told with fail_delivery: " +
			"POST …/fulfilments/{fulfilment_id}/failure.",
	},
	{
		Code: "over_return", Status: http.StatusConflict,
		Title:  "More would come back than can",
		Cause:  "More would come back than was delivered and is not asked back, or than the return has still to come.",
		Remedy: askForLess,
	},
	{
		Code: "too_many_returns", Status: http.StatusConflict,
		Title:  "The order has too many returns",
		Cause:  "An order has at most 1,000 returns.",
		Remedy: newOrder,
	},
	{
		Code: "return_exists", Status: http.StatusConflict,
		Title:  "The return is there already",
		Cause:  "The order has a return of this ID.",
		Remedy: "Use a new key for a new return.",
	},
	{
		Code: "unknown_return", Status: http.StatusNotFound,
		Title:  "The return is not known",
		Cause:  "The order has no return of this ID.",
		Remedy: readAgain,
	},
	{
		Code: "return_closed", Status: http.StatusConflict,
		Title:  "Nothing of the return is still to come",
		Cause:  "All of the return has come, or was given up.",
		Remedy: "Request another return for what else comes back.",
	},
	{
		Code: "over_delivery", Status: http.StatusConflict,
		Title:  "More than is on its way would be delivered",
		Cause:  "More of a SKU would arrive than the shipment has on its way.",
		Remedy: askForLess,
	},
	{
		Code: "already_delivered", Status: http.StatusConflict,
		Title: "The fulfilment is delivered already",
		Cause: "The shipment, or part of it, has been recorded as delivered.",
		Remedy: "Nothing, where you record a delivery. To take the shipment back, take its delivery back first " +
			"(reverse_delivery).",
	},
	{
		Code: "delivery_failed", Status: http.StatusConflict,
		Title: "The delivery of the fulfilment has failed",
		Cause: "Part or all of the shipment came back, or is lost: it had left.",
		Remedy: "Ship what did not arrive again: that is a fulfilment of its own. Where part is still on its way and will " +
			"not arrive either, tell that with fail_delivery.",
	},
	{
		Code: "shipment_reversed", Status: http.StatusConflict,
		Title:  "The shipment has been taken back",
		Cause:  "It was recorded by mistake, and an event says so: nothing of it is on its way.",
		Remedy: "Ship the goods: that is a fulfilment of its own.",
	},
	{
		Code: "not_delivered", Status: http.StatusConflict,
		Title:  "Nothing of the fulfilment has been delivered",
		Cause:  "A delivery is to be taken back of a shipment of which none was recorded, or all was taken back before.",
		Remedy: "Nothing: what you want is so. Where the shipment was a mistake, too, take that back with reverse_shipment.",
	},
	{
		Code: "over_reversal", Status: http.StatusConflict,
		Title:  "More than has been delivered would be taken back",
		Cause:  "More of a SKU would be taken back than has been delivered of the shipment.",
		Remedy: askForLess,
	},
	{
		Code: "already_returned", Status: http.StatusConflict,
		Title:  "The goods have come back, or will",
		Cause:  "What came back, or is in a return, has been delivered. So that delivery cannot have been a mistake.",
		Remedy: "Name fewer units, or cancel a return that was a mistake, too, while nothing of it has come.",
	},
	// Replays.
	{
		Code: InvalidReplay, Status: http.StatusBadRequest,
		Title: "The replay that is asked for is not valid",
		Cause: "Definition and insight are both there, or neither is; a source, a time, a throttle or a reason is not " +
			"one that there is; or a part of the history is to go live by itself.",
		Remedy: fixRequest,
	},
	{
		Code: UnknownReplay, Status: http.StatusNotFound,
		Title:  "The replay is not known",
		Cause:  "No replay has this ID.",
		Remedy: "`holdfast replay ls` lists those that there are.",
	},
	{
		Code: ReplayRefused, Status: http.StatusConflict,
		Title: "The replay or insight does not take this now",
		Cause: "The phase of the replay does not allow it, or a version that was not verified would go live. " +
			"`detail` says which. `forceable` is true where `force` makes it allowed.",
		Remedy: "Do what `detail` says, or send `force`: true where `forceable` is true.",
	},
	{
		Code: LogCut, Status: http.StatusConflict,
		Title:  "The start of the log was deleted",
		Cause:  "Kafka has deleted records at the start of a topic, so that a replay cannot cover the whole history.",
		Remedy: "Restore the topic, or send `force`: true for a replay of what is left.",
	},
}
