"""The rule of recordings against simulated programs, in each length of recording, looked at as often as on a quiet machine and as seldom as is
allowed."""

import random
import sys

sys.path.insert(0, sys.argv[1])
import heapbeat_agent


def rises(memory, seconds, count):
    """Whether a function of time is taken for growth, with that many looks in each part."""
    parts = [[] for _ in range(heapbeat_agent.PARTS)]
    now, looks = 0.0, 0
    pause = seconds / (heapbeat_agent.PARTS * count)
    while now < seconds:
        parts[int(now / seconds * heapbeat_agent.PARTS)].append(memory(now))
        looks += 1
        now += pause * heapbeat_agent._spread(looks)
    return heapbeat_agent._rises([min(part) for part in parts], max(map(max, parts)))


def sawtooth(period, height, phase, base):
    return lambda now: base + height * ((now / period + phase) % 1.0)


def false_positives(seconds, count, seeds=4000):
    accused = 0
    for seed in range(seeds):
        chance = random.Random(seed)
        height, base = chance.uniform(1, 1000), chance.uniform(0, 1000)
        short = sawtooth(chance.uniform(0.04, 0.74) * seconds, height, chance.random(), base)
        accused += rises(short, seconds, count)
        rate = chance.uniform(0.05, 100)
        beside = sawtooth(chance.uniform(0.05, 0.2) * seconds, chance.uniform(0, 0.5 * rate * seconds), chance.random(), base)
        growing = lambda now: rate * now * chance.uniform(0.95, 1.05) + 0.3 * beside(now)
        assert rises(growing, seconds, count), (seed, seconds, count)
        filled = chance.uniform(0, seconds / 2)
        assert not rises(lambda now: rate * min(now, filled), seconds, count), (seed, seconds, count)
    return accused


for seconds in (2.0, 4.0, 10.0):
    assert false_positives(seconds, heapbeat_agent.LOOKS) == 0
# Two of a thousand on a busy machine.
assert false_positives(10.0, heapbeat_agent.MIN_LOOKS) <= 8
assert false_positives(10.0, 5) > 8


# Ten seconds in which a function leaks, others hold for a moment what they need, and one has filled its cache.
class Recorded:
    traced = 10.0
    notes = [(2.0, {}), (4.0, {})]
    held = {}

    def net_growth(self):
        return 0.5


recorded = Recorded()
for line, noted, held in ((1, 400, 1000), (2, 5000, 5100), (3, 6000, 4000), (4, 0, 100)):
    stack = (("app.py", line),)
    recorded.notes[1][1][stack] = (noted, 1)
    recorded.held[stack] = (held, 1)


class Names:
    def function(self, file, line):
        return ("line %d" % line, line)


heapbeat_agent.Names = Names
growth = {holder["function"]: holder["growth"] for holder in heapbeat_agent._holders(recorded)}
assert growth == {"line 1": 500, "line 2": 83, "line 3": 0, "line 4": 50}, growth
# A note that is too late to tell gives way to the one before.
recorded.notes = [recorded.notes[1], (6.0, recorded.held)]
assert {holder["function"]: holder["growth"] for holder in heapbeat_agent._holders(recorded)} == growth


# What part of what is held counts: what is known to rise, of blocks and of resident memory, and both where traced bytes rise.
class Watched(heapbeat_agent.Recording):
    def __init__(self, telling, rising, grown):
        self.was_watched = True
        self.telling = telling
        self.lowest = [tuple(part * 10 * (kind in rising) for kind in range(3)) for part in range(4)]
        self.highest = self.lowest[-1]
        self.grown = grown
        self.held = {("app.py", 1): (1000, 100)}


for telling, rising, grown, expected in (
    ((2,), (2,), (50, 0), 0.5),
    ((2,), (2,), (0, 900), 0.9),
    ((2,), (0, 1), (50, 900), 0.0),
    ((0, 1), (0,), (50, 900), 0.5),
    ((0, 1), (1,), (50, 900), 0.9),
    ((0, 1), (1,), (100, -900), 0.0),
    ((0, 1), (0, 1), (500, -900), 1.0),
    ((0, 1), (), (100, 1000), 0.0),
):
    found = Watched(telling, rising, grown).net_growth()
    assert found == expected, (telling, rising, grown, found)
print("held")
