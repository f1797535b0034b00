"""Healthy shapes, by name: memory that is used a lot, and does not grow for ever."""

import collections
import sys
import time


def rows(count):
    return [{"id": number, "values": [float(number)] * 20} for number in range(count)]


kept = collections.deque(rows(20_000), maxlen=20_000)
cache = collections.OrderedDict((number, bytearray(2000)) for number in range(5000))
junk = []
turn = 0


def churn():
    junk[:] = rows(1000)


def bounded_cache():
    for number in range(100):
        cache[5000 + turn * 100 + number] = bytearray(2000)
        cache.popitem(last=False)


def queue():
    kept.extend(rows(400))


shapes = {"churn": churn, "bounded_cache": bounded_cache, "queue": queue}
end = time.monotonic() + 60
while time.monotonic() < end:
    turn += 1
    shapes[sys.argv[1]]()
    time.sleep(0.02)
