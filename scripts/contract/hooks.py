"""What Schemathesis must know of Holdfast beside schemas/openapi.yaml, and checks of our own.

scripts/contract.sh sets HOLDFAST_CONTRACT_URL, where a server runs that scripts/contract/seed.py has given some data.
"""

import itertools
import json
import os
import re
import urllib.parse
from pathlib import Path

import jsonschema_rs
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

DOCUMENT = Path(__file__).parents[2] / "schemas" / "openapi.yaml"

# Refusals (400) of requests that a JSON schema cannot tell from others: what a path ends with, the code, and why.
NOT_IN_SCHEMA = [
    ("/transfers", "same_location", "two members are equal"),
    ("/payments", "invalid_amount", "the currency, and so its minor unit, is the order's"),
    ("/amend", "invalid_lines", "two lines are about the same, or the order has no such line"),
    ("/amend", "invalid_price", "whether a line is new is known to the order"),
    ("/amend", "invalid_discount", "what a line costs, and whether it has discounts, is known to the order"),
    ("/amend", "invalid_tax", "what a line costs, and whether it has taxes, is known to the order"),
    ("/amend", "invalid_quantity", "whether a line is new is known to the order"),
    ("/orders", "invalid_discount", "discounts are at most the price of what they are on"),
    ("/orders", "invalid_tax", "taxes that are included are at most what the line or charge costs"),
    ("/orders", "tax_mismatch", "a tax is its rate of what it is on"),
    ("/credit-notes", "invalid_discount", "as those of orders"),
    ("/credit-notes", "invalid_tax", "as those of orders"),
    ("/credit-notes", "tax_mismatch", "as those of orders"),
    ("/counts", "invalid_counted_at_version", "which versions there were is known to the item"),
    ("", "amount_overflow", "a sum is too large"),
    ("/stock/{sku}", "invalid_sku", NAMES := "names have Unicode's Form C, and no characters that nobody sees"),
    ("", "invalid_location", NAMES),
    ("", "invalid_reference", NAMES),
    ("", "invalid_customer_id", NAMES),
    ("", "invalid_provider", NAMES),
    ("", "invalid_country", NAMES),
    ("", "invalid_metadata", "keys and values are too long together"),
    ("", "invalid_occurred_at", "what is the future depends on the clock"),
    ("", "invalid_cursor", "only the server makes cursors"),
    ("", "invalid_position", "the entries of a position have an order"),
    ("/replays", "invalid_definition", "what a definition may say is no JSON schema"),
    ("/replays", "missing_field", "either the definition or the insight is there"),
    ("/replays", "invalid_replay", "to must be after from; the definition or the insight, and not both"),
    ("/preview", "invalid_definition", "what a definition may say is no JSON schema"),
    ("/plan", "invalid_definition", "what a definition may say is no JSON schema"),
    ("/insights/{name}", "invalid_parameter", "which keys and measures there are is known to the insight"),
    ("/failure", "missing_field", "either the condition or lines are there"),
    ("/failure", "invalid_condition", "the condition of all, or one of each line"),
    ("/failure", "invalid_lines", "two lines are about the same"),
    ("/failure", "invalid_location", "lost goods come to no location"),
    ("/availability", "invalid_parameter", MOMENTS := "no February has 31 days; as_of is not after now; clock needs it"),
    ("/availability/{sku}", "invalid_parameter", MOMENTS),
    ("/stock/{sku}", "invalid_parameter", MOMENTS),
    ("/ledger", "invalid_parameter", MOMENTS),
    ("/allocations", "invalid_parameter", MOMENTS),
    ("/stock-changes", "invalid_parameter", MOMENTS),
    ("/orders/{order_id}", "invalid_parameter", MOMENTS),
    ("/events", "invalid_parameter", "which topic has a sku, or an order_id, is no JSON schema"),
    ("/orders", "invalid_parameter", "no February has 31 days; …_to is after …_from; totals need currency; names as above"),
    ("/stream", "invalid_parameter", "after=here is for streams that name an order or items"),
    ("/keys", "invalid_api_key", "whether a time is to come depends on the clock"),
    ("/revenue", "invalid_parameter", "to must be after from"),
    ("/stock-movements", "invalid_parameter", "to must be after from"),
]
# These depend on what there is, and on what was sent before.
STATE = {"version_mismatch", "idempotency_key_reused", "command_too_large"}

# Reports choose their format by Accept, which is no parameter of the document.
FORMATS = ["application/json", "application/x-ndjson", "text/csv", "*/*"]

# Longer headers, of which the path is one, are answered 431 before any handler sees them. Characters that take up to
# twelve bytes in a URL make a parameter as long as that.
MAX_PARAMETER = 20_000

SEEDED = json.loads(os.environ["HOLDFAST_CONTRACT_SEEDED"])
keys = itertools.count()


def positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def code_of(response):
    """The code of a problem; "" where the answer is none."""
    if response.status_code < 400:
        return ""
    try:
        return response.json().get("code", "")
    except (ValueError, AttributeError):
        return ""


def outside_schema(operation, code):
    """Whether a schema cannot say that the request is refused so."""
    path = operation.split(" ")[1]
    return code in STATE or any(path.endswith(end) and code == other for end, other, _ in NOT_IN_SCHEMA)


def that_there_is(parameters, choice):
    """Parameters of a path; for most choices with the IDs of something that the server has."""
    known = [ids for ids in SEEDED["paths"] if parameters.keys() <= ids.keys()]
    if not known or choice % 4 == 0:
        return parameters
    ids = known[choice % len(known)]
    return {name: ids[name] for name in parameters}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets well-formed requests come as far as the rules: with keys of their own, on orders that there are."""
    headers = case.headers = case.headers or {}
    if re.fullmatch(r"([oi]\d+\.\d+~?)+", headers.get("Holdfast-Min-Position", "")):
        headers["Holdfast-Min-Position"] = SEEDED["position"]  # an invented one would be waited for
    for name, value in (case.query or {}).items():
        if isinstance(value, str) and len(urllib.parse.quote(value)) > MAX_PARAMETER:
            case.query[name] = "x" * len(value)
    if not positive(case):
        return
    if case.operation.path == "/v1/events" and case.query:
        if re.fullmatch(r"([oi]\d+\.\d+~?)+", str(case.query.get("after", ""))):
            case.query["after"] = SEEDED["position"]
        if "wait" in case.query:  # up to a minute for each
            case.query["wait"] = 0
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = f"contract-{next(keys)}"
    if "Holdfast-Actor" in headers:  # Python sends Latin-1
        headers["Holdfast-Actor"] = headers["Holdfast-Actor"].encode().decode("latin-1")
    # Schemathesis 4.32 fills some combinations of optional headers with 0.
    if "If-Match" in headers and (next(keys) % 4 or '"' not in headers["If-Match"]):
        headers["If-Match"] = "*"
    if case.operation.path.startswith("/v1/reports/"):
        headers["Accept"] = FORMATS[next(keys) % len(FORMATS)]
        if headers["Accept"] == "text/csv" and case.query:  # it has all rows
            case.query = {name: value for name, value in case.query.items() if name not in ("limit", "cursor")}
    if case.path_parameters:
        case.path_parameters = that_there_is(case.path_parameters, next(keys))


@schemathesis.check
def accepts_valid_data(ctx, response, case):
    """A request that the document allows is done, or refused by a rule."""
    if not outside_schema(case.operation.label, code_of(response)):
        positive_data_acceptance(ctx, response, case)


raw = schemathesis.openapi.from_path(DOCUMENT).raw_schema
ROWS = {
    f"/v1/reports/{report}": jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{row}", "components": raw["components"]})
    for report, row in (("revenue", "RevenueRow"), ("stock-movements", "StockMovementsRow"))
}
ROWS["/v1/events"] = jsonschema_rs.Draft202012Validator(
    {"$ref": "#/components/schemas/Event", "components": raw["components"]})


def listed_codes():
    """The codes that a refusal of an operation may have: (operation, status) to a set of them."""
    everywhere = re.findall("`([a-z_]+)`", re.split("Besides, any command|Every code", raw["info"]["description"])[1])
    codes = {}
    for path, methods in raw["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                found = re.findall("`([a-z_]+)`", answer.get("description", ""))
                reference = answer.get("$ref", "").rsplit("/", 1)[-1]
                shared = raw["components"]["responses"].get(reference, {})
                if not found and int(status) >= 400:
                    for content in shared.get("content", {}).values():
                        for example in content.get("examples", {}).values():
                            found.append(example["value"].get("code", ""))
                        found.append(content.get("example", {}).get("code", ""))
                codes[f"{method.upper()} {path}", int(status)] = {*found, *(everywhere if status == "400" else [])}
    return codes


LISTED = listed_codes()


@schemathesis.check
def code_is_listed(ctx, response, case):
    """A refusal has one of the codes that the document lists for the operation."""
    code = code_of(response)
    if code and code not in LISTED.get((case.operation.label, response.status_code), {code}):
        raise AssertionError(f"{code} is not among the codes of {case.operation.label} for {response.status_code}")


@schemathesis.check
def lines_conform(ctx, response, case):
    """Each line of an answer of NDJSON is what its schema says: Schemathesis reads none of them."""
    if response.headers.get("content-type", [""])[0] == "application/x-ndjson":
        for line in response.content.splitlines():
            ROWS[case.operation.path].validate(json.loads(line))


@schemathesis.check
def ends_with_newline(ctx, response, case):
    """Every answer with a body ends with a newline."""
    if response.content and not response.content.endswith(b"\n"):
        raise AssertionError("the body does not end with a newline")
