"""Starts heapbeat's agent, and then imports the sitecustomize that this file hides, if there is one.

It is found by PYTHONPATH. Afterwards neither sys.path nor sys.modules shows that it was here.
"""

import sys


def _pass_on(directory):
    # A relative comparison is not needed: the guard puts an absolute path into PYTHONPATH.
    sys.path[:] = [entry for entry in sys.path if entry != directory]
    own = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401  The next one on sys.path.
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        # `site` expects the module that it is importing.
        sys.modules["sitecustomize"] = own


try:
    import heapbeat_agent

    heapbeat_agent.start()
except Exception:
    pass
_pass_on(__file__.rpartition("/")[0])
