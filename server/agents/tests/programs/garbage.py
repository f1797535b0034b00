"""Makes cycles that only a collection frees, and waits."""

import gc
import time

gc.disable()
for _ in range(100_000):
    cycle = [bytearray(500)]
    cycle.append(cycle)
del cycle
time.sleep(60)
