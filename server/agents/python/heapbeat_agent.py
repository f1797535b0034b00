"""The Python agent of heapbeat: reports memory figures of this process to the guard that started it (`heapbeat run`).

It is loaded by sitecustomize.py, works for CPython 3.9 and later, and has no dependencies. docs/agents.md describes the protocol.

Rules: it writes nothing to stdout or stderr, never raises, keeps nothing alive, and does nothing in pip and its like.
HEAPBEAT_AGENT=off switches it off. It uses the modules written in C (_socket, _thread), so that the program finds threading, socket
and the others neither imported nor in use: gevent and eventlet may replace them afterwards.
"""

import _signal
import _socket
import _thread
import functools
import gc
import os
import re
import select
import sys
import time

PROTOCOL = 1
#: Wait before the first connection, so that short programs never connect.
START_DELAY = 0.1
#: Wait in a child after a fork: one that executes another program never connects.
FORK_DELAY = 0.2
MAX_BACKOFF = 30.0
MAX_MESSAGE = 64 << 10
#: Maximum length of a profile that is sent, below the guard's limit of 1 MiB.
MAX_PROFILE = 900 << 10
PURGE_PAUSE = 5.0
#: Objects by type: shortest pause, share of the time they may take, number of objects that are looked at, and growth of the number
#: of memory blocks since the last time from which on they are counted again.
TYPES_PAUSE = 30.0
TYPES_SHARE = 0.001
TYPES_SAMPLE = 20_000
TYPES_GROWTH = 50_000
#: Frames that tracemalloc records of each allocation.
FRAMES = 12
#: Memory blocks allocated while tracemalloc records, after which it is stopped early, as each costs memory.
MAX_TRACED_BLOCKS = 200_000
#: Growth of the resident set during a recording that may have other reasons, such as fragments.
RECORDING_NOISE = 4 << 20
HOLDERS = 10
#: From 3.12 on, os.fork() warns in a process that has threads, so the agent's thread ends before a fork.
ENDS_FOR_FORK = sys.version_info >= (3, 12)
#: How often the interpreter is asked whether os.fork() has returned.
MAX_FORK_STEPS = 5000

TOOLS = re.compile(
    r"^(?:pip[x0-9.]*|pipenv|poetry|virtualenv|venv|ensurepip|conda|mamba|easy_install|twine|uv|uvx|pdm|hatch)(?:\.py)?$"
)

_agent = None


def start():
    """Starts the agent of this process, unless it is switched off or not wanted here."""
    global _agent
    path = os.environ.get("HEAPBEAT_AGENT_SOCKET")
    if not path or os.environ.get("HEAPBEAT_AGENT", "").lower() in ("off", "0", "false"):
        return
    if sys.implementation.name != "cpython" or sys.version_info < (3, 9) or not sys.platform.startswith("linux"):
        return
    program = _program()
    if TOOLS.match(program.rpartition("/")[2]):
        return
    try:
        interval = max(0.05, float(os.environ.get("HEAPBEAT_AGENT_INTERVAL", "1000")) / 1000)
    except ValueError:
        interval = 1.0
    _agent = Agent(path, program, interval)
    _agent.run_thread(START_DELAY)
    if ENDS_FOR_FORK:
        os.register_at_fork(before=_agent.before_fork, after_in_parent=_agent.after_fork_in_parent)
    os.register_at_fork(after_in_child=_agent.after_fork_in_child)
    import atexit

    atexit.register(_agent.end_thread)


def _program():
    """The program's file, or its module's name. sys.argv is not there yet."""
    with open("/proc/self/cmdline", "rb") as file:
        words = [word.decode("utf-8", "replace") for word in file.read().split(b"\0")[1:-1]]
    words = iter(words)
    for word in words:
        if word == "-m":
            return next(words, "")
        if word.startswith("-m") and len(word) > 2:
            return word[2:]
        if word.startswith("-c"):
            return "-c"
        if word in ("-W", "-X", "--check-hash-based-pycs"):
            next(words, "")
        elif not word.startswith("-") or word == "-":
            return word
    return ""


class Agent:
    """The agent's thread and its connection."""

    def __init__(self, path, program, interval):
        self.path = path
        self.program = program
        self.interval = interval
        self.is_running = _thread.allocate_lock()
        self.wake = None
        self.thread_id = 0
        self.start_later = None
        self.forking = None
        self.reset()

    def reset(self):
        """Forgets the connection and what was reported on it."""
        self.socket = None
        self.received = b""
        self.due = 0.0
        self.backoff = 0.0
        self.next_attempt = 0.0
        self.next_purge = 0.0
        self.collections = sum(generation["collections"] for generation in gc.get_stats())
        self.types = {}
        self.next_types = time.monotonic() + TYPES_PAUSE * self.interval
        self.types_blocks = sys.getallocatedblocks()
        self.recording = None

    # The thread.

    def run_thread(self, delay):
        """Starts the thread. It is not one of `threading`, so the interpreter does not wait for it."""
        self.close_wake()
        self.wake = os.pipe()
        self.is_running = _thread.allocate_lock()
        self.is_running.acquire()
        try:
            _thread.start_new_thread(self.main, (delay, self.wake[0], self.is_running))
        except Exception:
            self.is_running.release()

    def end_thread(self):
        """Ends the thread and waits for that, but not for long."""
        wake = self.wake
        if wake is not None:
            try:
                os.write(wake[1], b"x")
            except OSError:
                return
            self.is_running.acquire(True, 0.5) and self.is_running.release()

    def close_wake(self):
        wake, self.wake = self.wake, None
        for descriptor in wake or ():
            try:
                os.close(descriptor)
            except OSError:
                pass

    def main(self, delay, wake, is_running):
        try:
            # Signals are the main thread's.
            _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
            self.thread_id = _thread.get_native_id()
            poll = select.poll()
            poll.register(wake, select.POLLIN)
            if not poll.poll(delay * 1000):
                self.loop(wake)
        except Exception:
            pass
        finally:
            is_running.release()

    def loop(self, wake):
        while True:
            now = time.monotonic()
            if now >= self.due:
                self.tick(now, now - self.due if self.due else 0.0)
                self.due = max(self.due, now) + self.interval
            poll = select.poll()
            poll.register(wake, select.POLLIN)
            if self.socket is not None:
                poll.register(self.socket.fileno(), select.POLLIN)
            for descriptor, _ in poll.poll(max(0.0, self.due - time.monotonic()) * 1000 + 1):
                if descriptor == wake:
                    return
                self.receive()

    def tick(self, now, late):
        if self.socket is None and now >= self.next_attempt:
            self.connect(now)
        self.send({"sample": self.sample(late)})
        if self.recording is not None:
            self.continue_recording(now)
        elif self.socket is not None:
            self.report_types(now)

    # Forks. A child must not use its parent's connection.

    def before_fork(self):
        try:
            self.end_thread()
            # The thread's last steps are not Python's: wait until the kernel has forgotten it.
            task = "/proc/self/task/%d" % self.thread_id
            for _ in range(200):
                if not os.path.exists(task):
                    break
                time.sleep(0.0001)
            self.forking = [sys._getframe(1), _thread.get_ident(), 0]
        except Exception:
            pass

    def after_fork_in_parent(self):
        # os.fork() counts the threads after this call, so the thread is started when the function that called it goes on.
        try:
            if self.start_later is None:
                import ctypes

                callback = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(self.start_after_fork)
                self.start_later = functools.partial(ctypes.pythonapi.Py_AddPendingCall, callback, None)
            self.start_later()
        except Exception:
            self.run_thread(0.0)

    def start_after_fork(self, _):
        try:
            forking = self.forking
            forking[2] += 1
            # Other functions that are registered for forks run before os.fork() returns.
            is_inside = sys._getframe(1) is not forking[0] and _thread.get_ident() == forking[1]
            if is_inside and forking[2] < MAX_FORK_STEPS:
                self.start_later()
            else:
                self.forking = None
                self.run_thread(0.0)
        except Exception:
            pass
        return 0

    def after_fork_in_child(self):
        try:
            if self.socket is not None:
                self.socket.close()
            if self.recording is not None:
                self.recording.stop()
            self.reset()
            self.forking = None
            self.run_thread(FORK_DELAY)
        except Exception:
            pass

    # The connection.

    def connect(self, now):
        self.backoff = min(max(1.0, self.backoff * 2), MAX_BACKOFF)
        self.next_attempt = now + self.backoff
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.connect(self.path)
        except OSError:
            connection.close()
            return
        self.socket = connection
        self.received = b""
        self.backoff = 0.0
        version = sys.version_info
        hello = {
            "protocol": PROTOCOL,
            "runtime": "python",
            "version": "%d.%d.%d" % version[:3],
            "pid": os.getpid(),
            "program": self.program[-300:],
        }
        self.send({"hello": hello})

    def disconnect(self):
        connection, self.socket = self.socket, None
        if connection is not None:
            connection.close()

    def send(self, message):
        if self.socket is None:
            return
        data = _encode(message).encode("utf-8", "replace") + b"\n"
        deadline = time.monotonic() + 2.0
        try:
            while data:
                try:
                    data = data[self.socket.send(data) :]
                except BlockingIOError:
                    # A profile may be larger than the socket's buffer.
                    poll = select.poll()
                    poll.register(self.socket.fileno(), select.POLLOUT)
                    if time.monotonic() > deadline or not poll.poll(500):
                        return self.disconnect()
        except OSError:
            self.disconnect()

    def receive(self):
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(self.received) > MAX_MESSAGE:
            return self.disconnect()
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            try:
                self.handle(line)
            except Exception:
                pass

    def handle(self, line):
        # The guard's messages have one kind and at most one number, so that no parser needs to be imported.
        kind = re.match(rb'\s*\{\s*"(\w+)"\s*:', line)
        seconds = re.search(rb'"seconds"\s*:\s*(\d+)', line)
        seconds = min(int(seconds.group(1)), 300) if seconds else 0
        kind = kind.group(1) if kind else b""
        if kind == b"purge":
            self.send({"purge": self.purge()})
        elif kind in (b"holders", b"profile") and self.recording is None:
            self.recording = Recording(kind.decode(), max(seconds, 1))
        elif kind in (b"holders", b"profile"):
            refused = "allocations are being recorded already"
            self.send({"holders": [], "refused": refused} if kind == b"holders" else {"profile": {"refused": refused}})

    # Figures.

    def sample(self, late):
        collections = sum(generation["collections"] for generation in gc.get_stats())
        since, self.collections = collections - self.collections, collections
        status = _status()
        anonymous = status.get("RssAnon", 0)
        return {
            "at": int(time.time() * 1000),
            "rss": status.get("VmRSS", 0),
            "rss_anon": anonymous,
            "rss_file": status.get("RssFile", 0),
            "rss_shmem": status.get("RssShmem", 0),
            "heap_total": anonymous,
            "allocated_blocks": sys.getallocatedblocks(),
            "gc_count": max(since, 0),
            "lag_ms": round(max(late, 0.0) * 1000, 2),
        }

    def purge(self):
        started = time.monotonic()
        if started < self.next_purge:
            retry = int((self.next_purge - started) * 1000) + 1
            return {"refused": "purged less than 5 s ago", "retry_ms": retry}
        before = _status().get("VmRSS", 0)
        collected = gc.collect()
        try:
            import ctypes

            ctypes.CDLL(None).malloc_trim(0)
        except Exception:
            pass
        self.next_purge = time.monotonic() + PURGE_PAUSE
        freed = max(before - _status().get("VmRSS", 0), 0)
        took = round((time.monotonic() - started) * 1000, 1)
        return {"freed": freed, "rss_freed": freed, "objects": collected, "ms": took}

    def report_types(self, now):
        """Counts objects by type while memory grows: of all objects every n-th, so that it takes a few milliseconds."""
        blocks = sys.getallocatedblocks()
        if now < self.next_types or blocks < self.types_blocks + max(TYPES_GROWTH, self.types_blocks // 20):
            return
        started = time.monotonic()
        objects = gc.get_objects()
        step = len(objects) // TYPES_SAMPLE + 1
        sample = objects[::step]
        del objects
        counts = {}
        for one in map(type, sample):
            counts[one] = counts.get(one, 0) + step
        del sample
        counts = {"%s.%s" % (one.__module__, one.__qualname__): count for one, count in counts.items()}
        types = [
            {"type": name[:200], "count": count, "growth": count - self.types.get(name, 0)}
            for name, count in sorted(counts.items(), key=lambda item: -item[1])[:HOLDERS]
        ]
        self.types = counts
        self.types_blocks = blocks
        took = time.monotonic() - started
        self.next_types = started + max(TYPES_PAUSE * self.interval, took / TYPES_SHARE)
        self.send({"types": types, "ms": round(took * 1000, 1)})

    def continue_recording(self, now):
        recording = self.recording
        if self.socket is None or recording.is_over(now):
            self.recording = None
            traces = recording.stop()
            if recording.kind == "holders":
                seconds = round(time.monotonic() - recording.started, 1)
                holders = _holders(traces, recording.net_growth)
                self.send({"holders": holders, "seconds": seconds, "ms": recording.milliseconds()})
            else:
                self.send({"profile": _profile(traces, recording)})


class Recording:
    """Allocations recorded by tracemalloc for a while. What it has at the end is what was allocated meanwhile and is still held."""

    def __init__(self, kind, seconds):
        import _tracemalloc

        self.kind = kind
        self.seconds = seconds
        self.started = time.monotonic()
        self.net_growth = 1.0
        gc.collect()
        self.blocks = sys.getallocatedblocks()
        self.anonymous = _status().get("RssAnon", 0)
        self.is_own = not _tracemalloc.is_tracing()
        if self.is_own:
            _tracemalloc.start(FRAMES)

    def is_over(self, now):
        grown = sys.getallocatedblocks() - self.blocks
        return now >= self.started + self.seconds or grown > MAX_TRACED_BLOCKS

    def milliseconds(self):
        return round((time.monotonic() - self.started) * 1000, 1)

    def stop(self):
        """Bytes and number of blocks by call stack, whose innermost frame comes first."""
        import _tracemalloc

        gc.collect()
        blocks = sys.getallocatedblocks() - self.blocks
        # Blocks of more than 512 bytes are not counted, so the resident set is asked as well, less what recording itself may have taken.
        overhead = 2 * _tracemalloc.get_tracemalloc_memory() + RECORDING_NOISE
        anonymous = _status().get("RssAnon", 0) - self.anonymous - overhead
        traces = _tracemalloc._get_traces()
        if self.is_own:
            _tracemalloc.stop()
        # Equal stacks are one object, whose identity is found faster than its hash.
        stacks = {}
        for trace in traces:
            stack = trace[2]
            held = stacks.get(id(stack))
            if held is None:
                stacks[id(stack)] = held = [stack, 0, 0]
            held[1] += trace[1]
            held[2] += 1
        # A cache that replaces its entries holds what was allocated meanwhile, and yet does not grow: the process tells.
        total = sum(trace[1] for trace in traces)
        self.net_growth = min(max(blocks / max(len(traces), 1), anonymous / max(total, 1), 0.0), 1.0)
        return {stack: (bytes_, count) for stack, bytes_, count in stacks.values()}


def _holders(stacks, net_growth):
    """The functions that hold most. Bytes of the standard library belong to its caller."""
    lines = {}
    for frames, (bytes_, _) in stacks.items():
        place = next((frame for frame in frames if not _is_library(frame[0])), None)
        if place is not None:
            lines[place] = lines.get(place, 0) + bytes_
    functions = {}
    names = Names()
    for (file, line), bytes_ in sorted(lines.items(), key=lambda item: -item[1])[: 4 * HOLDERS]:
        key = (*names.function(file, line), file)
        functions[key] = functions.get(key, 0) + bytes_
    largest = sorted(functions.items(), key=lambda item: -item[1])[:HOLDERS]
    return [
        {"function": name[:200], "file": file[-300:], "line": line, "bytes": bytes_, "growth": int(bytes_ * net_growth)}
        for (name, line, file), bytes_ in largest
    ]


def _profile(stacks, recording):
    names = Names()
    largest = sorted(stacks.items(), key=lambda item: -item[1][0])[:2000]
    while True:
        frames = {}
        held = []
        for stack, (bytes_, count) in largest:
            path = []
            for file, line in stack:
                if not file.startswith(os.path.dirname(__file__)):
                    path.append(frames.setdefault((names.function(file, line)[0], file[-300:], line), len(frames)))
            if path:
                held.append({"bytes": bytes_, "count": count, "frames": path})
        answer = {
            "seconds": recording.seconds,
            "ms": recording.milliseconds(),
            "interval": 0,
            "frames": list(frames),
            "stacks": held,
        }
        if len(_encode(answer)) <= MAX_PROFILE or not largest:
            return answer
        largest = largest[: len(largest) // 2]


def _is_library(file):
    """Whether a file is the standard library's or this one, and not an installed package's."""
    library = os.path.dirname(os.__file__)
    is_standard = file.startswith(library) and "site-packages" not in file and "dist-packages" not in file
    return is_standard or file.startswith("<frozen") or file == __file__


class Names:
    """Names and first lines of the functions at lines of source files. tracemalloc knows files and lines only."""

    def __init__(self):
        self.functions = {}

    def function(self, file, line):
        if file not in self.functions:
            self.functions[file] = self.read(file)
        # The line of a `def` runs in the function around it.
        inside = [it for it in self.functions[file] if it[0] < line <= it[1] or it[0] == line == it[1]]
        if not inside:
            return ("<module>", 1)
        first, _, name = max(inside)
        return (name, first)

    def read(self, file):
        """First line, last line and qualified name of each function of a file; of few files and not of large ones."""
        try:
            if len(self.functions) > 50 or os.path.getsize(file) > 1 << 20:
                return []
            import ast

            with open(file, "rb") as source:
                tree = ast.parse(source.read())
        except Exception:
            return []
        functions = []
        pending = [(tree, "")]
        while pending:
            node, prefix = pending.pop()
            for child in ast.iter_child_nodes(node):
                name = prefix
                if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    name = prefix + "." + child.name if prefix else child.name
                    if not isinstance(child, ast.ClassDef):
                        functions.append((child.lineno, child.end_lineno, name))
                pending.append((child, name))
        return functions


def _status():
    """Sizes of this process in bytes, from the kernel."""
    sizes = {}
    with open("/proc/self/status", "rb") as file:
        for line in file.read().split(b"\n"):
            if line.startswith((b"VmRSS:", b"Rss")):
                name, _, value = line.partition(b":")
                sizes[name.decode()] = int(value.split()[0]) << 10
    return sizes


_ESCAPED = re.compile(r'[\x00-\x1f"\\\ud800-\udfff]')


def _encode(value):
    """JSON, so that its module need not be imported."""
    if isinstance(value, str):
        return '"%s"' % _ESCAPED.sub(lambda match: "\\u%04x" % ord(match.group()), value)
    if isinstance(value, dict):
        return "{%s}" % ",".join("%s:%s" % (_encode(key), _encode(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join(map(_encode, value))
    return repr(value)
