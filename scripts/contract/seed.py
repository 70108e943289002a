"""Gives an empty server items and orders in several states, and prints their IDs for hooks.py and commands.py."""

import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.request

AUTHORIZATION = {"Authorization": f"Bearer {os.environ['HOLDFAST_CONTRACT_KEY']}"}

url = sys.argv[1]
keys = itertools.count()
position = ""


def send(method, path, body):
    global position
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"seed-{next(keys)}", **AUTHORIZATION}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers, method=method)
    for pause in (0.1, 0.5, 1, 2, 5, None):
        try:
            with urllib.request.urlopen(request) as answer:
                position = answer.headers["Holdfast-Position"] or position
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            if problem.code != 503 or pause is None:
                raise
        time.sleep(pause)


def order(terms):
    return send("POST", "/v1/orders", {
        "customer_id": "c-1", "currency": "GBP", "payment_terms": terms,
        "lines": [{"sku": sku, "quantity": 1_000, "unit_price": "2.55"} for sku in ("A1", "B2")],
        "charges": [{"kind": "shipping", "amount": "4.90", "taxes": [{"amount": "0.93"}]}],
    })["order_id"]


def fulfil(order_id, action):
    body = {"action": action, "lines": [{"sku": "A1", "quantity": 100}]}
    return send("POST", f"/v1/orders/{order_id}/fulfilments", body)["fulfilment_id"]


items, orders = [], []
for sku in ("A1", "B2"):
    send("PUT", f"/v1/stock/{sku}", {"description": f"item {sku}"})
    for location in ("main", "north"):
        receipt = {"quantity": 1_000_000, "location": location, "reference": "PO-1"}
        send("POST", f"/v1/stock/{sku}/receipts", receipt)
    for _ in range(4):
        sent = send("POST", f"/v1/stock/{sku}/transfers", {"to_location": "north", "quantity": 1_000})
        items.append({"sku": sku, "transfer_id": sent["transfer_id"]})
for _ in range(6):
    orders.append({"order_id": order("prepaid")})
    packed = order("on_account")
    orders.append({"order_id": packed, "fulfilment_id": fulfil(packed, "create")})
    shipped = order("on_account")
    orders.append({"order_id": shipped, "fulfilment_id": fulfil(shipped, "ship")})
    delivered = order("on_account")
    fulfilment = fulfil(delivered, "ship")
    send("POST", f"/v1/orders/{delivered}/fulfilments/{fulfilment}/delivery", {})
    back = send("POST", f"/v1/orders/{delivered}/returns", {"lines": [{"sku": "A1", "quantity": 10}]})
    orders.append({"order_id": delivered, "fulfilment_id": fulfilment, "return_id": back["return_id"]})
definition = "name: units\nsource: sales\nkeys: {sku: sku}\nmeasures:\n  units: {sql: sum(quantity), unit: count}\n"
replays = []
for _ in range(3):
    sent = send("POST", "/v1/replays", {"definition": "description: Units sold\n" + definition})
    replays.append({"replay_id": sent["replay_id"]})
json.dump({"position": position, "paths": [*items, *replays, {"name": "units"}, *orders]}, sys.stdout)
