"""Three shapes of a leak, by name: each leaks some megabytes a second, beside work that leaks nothing."""

import json
import sys
import time

orders = []
cache = {}
callbacks = []


def list_orders():
    for number in range(100):
        orders.append({"id": number, "items": [float(number)] * 400})


def render_page():
    for number in range(50):
        cache["page %d" % len(cache)] = json.loads(json.dumps("x" * 200 + "y" * 200)) * 8


def subscribe():
    for number in range(10):
        # A variable of the loop would be one for all of its closures, which would keep the last value only.
        def callback(state=bytearray(16_000)):
            return len(state)

        callbacks.append(callback)


def work_without_leak():
    return len([{"number": number} for number in range(1000)])


shapes = {"list": list_orders, "dict": render_page, "closure": subscribe}
end = time.monotonic() + 300
while time.monotonic() < end:
    shapes[sys.argv[1]]()
    work_without_leak()
    time.sleep(0.02)
