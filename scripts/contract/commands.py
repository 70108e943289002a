"""Sends generated lines to POST /v1/commands and holds every answer to schemas/openapi.yaml.

Lines that the document allows are done or refused by a rule; lines that are broken in one way are refused. There is one
answer for each line, in order, and each is a ResultLine with a code that the command's own route lists.
"""

import collections
import json
import os
import re
from urllib.parse import unquote

import jsonschema_rs
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from hooks import DOCUMENT, LISTED, SEEDED, keys, outside_schema, that_there_is

URL = os.environ["HOLDFAST_CONTRACT_URL"]
LINE_CODES = {"unknown_command", "invalid_line", "malformed_json", "unknown_field", "wrong_type", "missing_field"}

document = schemathesis.openapi.from_path(DOCUMENT)
raw = document.raw_schema
results = jsonschema_rs.Draft202012Validator(
    {"$ref": "#/components/schemas/ResultLine", "components": raw["components"]}, validate_formats=True)
types = set(raw["components"]["schemas"]["CommandType"]["enum"])
run = requests.Session()
run.headers["Authorization"] = f"Bearer {os.environ['HOLDFAST_CONTRACT_KEY']}"
seen = collections.Counter()


def command_type(operation, body):
    """recordPayment with the action void is void_payment; every other operation is named as its command."""
    if operation == "recordPayment":
        return f"{body['action']}_payment"
    if operation == "shipOrder" and body.get("action") == "create":
        return "create_fulfilment"
    return re.sub("([A-Z])", lambda m: "_" + m[1].lower(), operation)


def line_of(case, choice):
    """The line of a request to the command's own route, with that route."""
    body = dict(case.body) if isinstance(case.body, dict) else {}
    line = {"type": command_type(case.operation.definition.raw["operationId"], body), "body": body}
    parameters = {name: unquote(value) for name, value in (case.path_parameters or {}).items()}
    for name, value in that_there_is(parameters, choice).items():
        (line if name in ("order_id", "sku") else body)[name] = value
    return case.operation.label, line


def operations():
    """The routes of commands: those that stand in CommandType."""
    for result in document.get_all_operations():
        operation = result.ok()
        name = operation.definition.raw["operationId"]
        if name == "recordPayment" or command_type(name, {}) in types:
            yield operation


BREAKS = {
    "a null": lambda line: line["body"].update(reference=None),
    "an unknown member": lambda line: line["body"].update(colour="red"),
    "an unknown member of the line": lambda line: line.update(colour="red"),
    "no type": lambda line: line.pop("type"),
    "another type": lambda line: line.update(type="do_order"),
    "an empty id": lambda line: line.update(id=""),
    "an id that is no text": lambda line: line.update(id=7),
    "a long id": lambda line: line.update(id="k" * 256),
    "a version of 0": lambda line: line.update(if_match=0),
    "a version in words": lambda line: line.update(if_match="one"),
    "both aggregates": lambda line: line.update(sku="A1", order_id=SEEDED["paths"][-1]["order_id"]),
    "a list for a body": lambda line: line.update(body=[]),
    "a null for a body": lambda line: line.update(body=None),
}

requests_of_routes = st.one_of([operation.as_strategy() for operation in operations()])
lines_of_routes = st.builds(line_of, requests_of_routes, st.integers(0, 1_000))
faults = st.one_of(st.none(), st.sampled_from([*BREAKS, "cut off"]))


def text_of(line, broken):
    """A line as it is sent: with a key of its own, and broken as asked."""
    line = json.loads(json.dumps({"id": f"line-{next(keys)}", **line}))
    if broken in BREAKS:
        BREAKS[broken](line)
    text = json.dumps(line).encode()
    return text[:-1] if broken == "cut off" else text


@seed(int(os.environ.get("SEED", "1")))
@settings(max_examples=int(os.environ.get("EXAMPLES", "100")), database=None, deadline=None,
          phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(lines_of_routes, faults), max_size=8))
def every_line_is_answered_as_documented(lines):
    sent = [(label, text_of(line, broken), broken) for (label, line), broken in lines]
    body = b"".join(text + b"\n" for _, text, _ in sent)
    answer = run.post(f"{URL}/v1/commands", body, headers={"Content-Type": "application/x-ndjson"}, timeout=60)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/x-ndjson", answer.text
    answers = answer.content.split(b"\n")
    assert len(answers) == len(lines) + 1 and answers[-1] == b"", (sent, answer.text)
    for (label, text, broken), got in zip(sent, answers):
        check(label, text, broken, json.loads(got))


def check(label, text, broken, got):
    shown = f"{label}, {broken}: {text.decode(errors='replace')}\n{got}"
    results.validate(got)
    status, code = got["status"], got.get("problem", {}).get("code", "")
    assert (status >= 400) == (code != ""), shown
    assert not code or code in LINE_CODES or code in LISTED.get((label, status), ()), f"not a listed code: {shown}"
    seen["broken" if broken else "done" if status < 400 else "refused by a rule"] += 1
    if broken:
        assert 400 <= status < 409, f"taken: {shown}"
    else:
        assert status < 500 and (status != 400 or outside_schema(label, code)), f"refused: {shown}"


if __name__ == "__main__":
    every_line_is_answered_as_documented()
    counted = ", ".join(f"{n} {how}" for how, n in sorted(seen.items()))
    print(f"POST /v1/commands: every line was answered as documented: {counted}")
