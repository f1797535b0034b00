"""The rule of recordings against simulated programs, which are looked at ten times a second as in a recording of ten seconds."""

import random
import sys

sys.path.insert(0, sys.argv[1])
import heapbeat_agent

SECONDS = 10.0


def rises(memory):
    """Whether a function of time is taken for growth."""
    parts = [[] for _ in range(heapbeat_agent.PARTS)]
    now, looks = 0.0, 0
    while now < SECONDS:
        parts[int(now / SECONDS * heapbeat_agent.PARTS)].append(memory(now))
        looks += 1
        now += heapbeat_agent._pause(looks)
    return heapbeat_agent._rises([min(part) for part in parts], max(map(max, parts)))


def sawtooth(period, height, phase, base):
    return lambda now: base + height * ((now / period + phase) % 1.0)


for seed in range(4000):
    chance = random.Random(seed)
    height, base = chance.uniform(1, 1000), chance.uniform(0, 1000)
    short = sawtooth(chance.uniform(0.5, 0.74 * SECONDS), height, chance.random(), base)
    assert not rises(short), seed
    rate = chance.uniform(0.05, 100)
    beside = sawtooth(chance.uniform(0.5, 2.0), chance.uniform(0, 5 * rate), chance.random(), base)
    assert rises(lambda now: rate * now * chance.uniform(0.95, 1.05) + 0.3 * beside(now)), seed
    filled = chance.uniform(0, SECONDS / 2)
    assert not rises(lambda now: rate * min(now, filled)), seed
print("held")
