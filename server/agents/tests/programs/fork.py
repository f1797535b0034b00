"""Forks like a server with workers; the warnings of the interpreter are errors."""

import logging
import os
import sys
import time
import warnings

warnings.simplefilter("error")
workers = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        time.sleep(float(sys.argv[1]))
        os._exit(5)
    workers.append(pid)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers], logging.root.level)
time.sleep(0.5)
