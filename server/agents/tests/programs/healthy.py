"""Ten healthy shapes, by name: memory that is used a lot, and does not grow for ever."""

import collections
import functools
import json
import sys
import threading
import time


def rows(count):
    return [{"id": number, "values": [float(number)] * 20} for number in range(count)]


kept = collections.deque(rows(20_000), maxlen=20_000)
cache = collections.OrderedDict((number, bytearray(2000)) for number in range(5000))
junk = []
begun = time.monotonic()
pool = [bytearray(256 * 1024) for _ in range(20)]
turn = 0


def churn():
    junk[:] = rows(1000)


# A cache that is full and replaces its oldest entries.
def bounded_cache():
    for number in range(100):
        cache[5000 + turn * 100 + number] = bytearray(2000)
        cache.popitem(last=False)


def queue():
    kept.extend(rows(400))


# A batch that grows and is let go, twice a second however slow the machine is.
def end_batch():
    global begun
    if time.monotonic() > begun + 0.5:
        begun = time.monotonic()
        junk.clear()


def sawtooth():
    junk.extend(rows(500))
    end_batch()


# The same of large blocks.
def large_sawtooth():
    junk.extend(bytearray(100_000) for _ in range(5))
    end_batch()


def buffer_pool():
    buffer = pool[turn % len(pool)]
    buffer[:] = bytes([turn % 256]) * len(buffer)


def strings():
    junk[:] = [json.dumps(rows(200)), json.loads(json.dumps(rows(200)))]


@functools.lru_cache(maxsize=2000)
def compute(number):
    return bytearray(number % 100 + 2000)


def memoize():
    for number in range(100):
        compute((turn * 100 + number) % 10_000)


# Garbage that only a collection finds.
def cycles():
    for number in range(300):
        cycle = [bytearray(500)]
        cycle.append(cycle)


def threads():
    workers = [threading.Thread(target=rows, args=(200,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


shape = {
    "churn": churn,
    "bounded_cache": bounded_cache,
    "queue": queue,
    "sawtooth": sawtooth,
    "large_sawtooth": large_sawtooth,
    "buffer_pool": buffer_pool,
    "strings": strings,
    "memoize": memoize,
    "cycles": cycles,
    "threads": threads,
}[sys.argv[1]]
end = time.monotonic() + 60
while time.monotonic() < end:
    turn += 1
    shape()
    time.sleep(0.02)
