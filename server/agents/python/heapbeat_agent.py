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
#: Traces after which tracemalloc is stopped early, as each costs about 0.3 kB while they are taken: 15 MB, on a machine that may be short of
#: memory. A full cache that replaces its entries has as many as one that grows.
MAX_TRACES = 50_000
#: Memory of tracemalloc for a trace, in bytes: 50 to 57 with 1,000 to 200,000 of them, in each version.
TRACE_SIZE = 53
#: Shares of the time, each of a busy program whose requests would wait for tracemalloc, which is stopped early then: it runs itself, the
#: agent's own thread waits for the interpreter as its requests do, or it never sleeps (on a machine busy with other work it then waits for a
#: processor). With twelve frames an answer of FastAPI takes 33 times the processor time (3.0 ms instead of 0.09). A program that only waits
#: often, as all do on such a machine, is not busy.
MAX_RUNNING = 0.7
MAX_LATE = 0.5
MAX_RUNNABLE = 0.95
#: Seconds over which they are measured.
BUSY_WINDOW = 0.5
#: Most threads that are looked at.
MAX_THREADS = 256
#: Parts of a recording. Memory grows if its lowest value rises from part to part.
PARTS = 4
#: Least part of the growth in each of them after the first, and of all that came and went in the growth. Even growth brings a third.
MIN_PART = 1 / 8
#: Looks at the memory in each part of a recording, and longest pause between two. With 25 of each part none of 20,000 simulated programs whose
#: memory comes and goes was taken for one that grows, with 5 of each 70 were (tests/programs/recording.py).
LOOKS = 25
RECORDING_PAUSE = 0.1
#: Fewest looks in a part: it lasts longer on a machine that is too busy for them. A recording that has not had them after that many times
#: its length tells nothing.
MIN_LOOKS = 12
MAX_LENGTH = 3
#: Seconds after which it is noted what is held, to tell what stays from what requests hold for a moment; then after twice as many each time,
#: as long as there are few traces, as looking at each of them takes time and memory.
FIRST_NOTE = 0.25
MAX_NOTED_TRACES = 10_000
#: Longest wait for a low point at the end of a recording, as a share of it.
MAX_EXTENSION = 0.25
#: Longest time of a collection that is repeated with each part. A large heap takes longer, while its requests wait, and is collected first and last.
MAX_COLLECTION = 0.05
#: Growth of the resident set during a recording that may have other reasons, such as fragments.
RECORDING_NOISE = 4 << 20
HOLDERS = 10
#: Bytes of the pages that the kernel counts.
PAGE = os.sysconf("SC_PAGESIZE")
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
        looks = 0
        while True:
            now = time.monotonic()
            if self.recording is not None:
                self.recording.note_turn(now)
            if now >= self.due:
                self.tick(now, now - self.due if self.due else 0.0)
                self.due = max(self.due, now) + self.interval
            wait = max(0.0, self.due - time.monotonic())
            if self.recording is not None:
                looks += 1
                wait = min(wait, self.recording.pause * _spread(looks))
                self.continue_recording()
                if self.recording is not None:
                    self.recording.expect_turn(time.monotonic() + wait)
            poll = select.poll()
            poll.register(wake, select.POLLIN)
            if self.socket is not None:
                poll.register(self.socket.fileno(), select.POLLIN)
            for descriptor, _ in poll.poll(wait * 1000 + 1):
                if descriptor == wake:
                    return
                self.receive()

    def tick(self, now, late):
        if self.socket is None and now >= self.next_attempt:
            self.connect(now)
        self.send({"sample": self.sample(late)})
        if self.recording is None and self.socket is not None:
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
                self.recording.close()
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
            self.send(_refusal(kind.decode(), "allocations are being recorded already"))

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
            {"type": name[:200], "count": count, "growth": count - self.types.get(name, 0) if self.types else 0}
            for name, count in sorted(counts.items(), key=lambda item: -item[1])[:HOLDERS]
        ]
        self.types = counts
        self.types_blocks = blocks
        took = time.monotonic() - started
        self.next_types = started + max(TYPES_PAUSE * self.interval, took / TYPES_SHARE)
        self.send({"types": types, "ms": round(took * 1000, 1)})

    def continue_recording(self):
        recording = self.recording
        try:
            if self.socket is not None and not recording.step():
                return
            recording.stop()
            if recording.kind == "holders":
                seconds = round(recording.traced, 1)
                answer = {"holders": _holders(recording), "seconds": seconds, "ms": recording.milliseconds()}
            else:
                answer = {"profile": _profile(recording)}
        except Exception as error:
            # The figures go on without it.
            recording.close()
            answer = _refusal(recording.kind, "the recording failed: " + type(error).__name__)
        self.recording = None
        self.send(answer)


class Recording:
    """Allocations recorded by tracemalloc for a while. What it has at the end is what was allocated meanwhile and is still held.

    Memory that comes and goes is not growth, at whatever moment the recording begins and ends. So it is looked at meanwhile: it grows if
    its lowest value rises from part to part. What is let go within any three of four parts does not. The traces are taken at a low
    point, so that they hold little of what comes and goes. If they have to be taken early, the process is watched to the end.
    """

    def __init__(self, kind, seconds):
        import _tracemalloc

        self.kind = kind
        self.seconds = seconds
        self.pause = min(RECORDING_PAUSE, seconds / (PARTS * LOOKS))
        self.started = self.part_began = time.monotonic()
        #: The two last notes of what each stack holds, with their time since the start.
        self.notes = [(0.0, {}), (0.0, {})]
        #: What each stack holds at the end, and how long allocations were recorded until then.
        self.held = None
        self.traced = 0.0
        #: What the process grew by until then: blocks, and resident bytes.
        self.grown = (0, 0)
        #: Whether all parts had their looks.
        self.was_watched = False
        #: Which figures tell whether memory grows: traced bytes, or blocks and resident memory if the traces were taken early.
        self.telling = (2,)
        self.overhead = 0
        # Each call into the kernel may cost a turn in the queue for the interpreter's lock: one a look, and not three.
        self.statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self.is_own = not _tracemalloc.is_tracing()
        began = time.monotonic()
        gc.collect()
        self.is_collected_often = time.monotonic() - began <= MAX_COLLECTION
        #: When it was measured last how busy the process is, the processor time until then, and the time that threads waited for a processor.
        self.busy_since = (time.monotonic(), _running_time(), _waiting_time())
        #: When the agent's thread is due, and how late it has been since then.
        self.due = self.late = 0.0
        self.first = self.figures()
        self.looks = 0
        #: The lowest figures of each part, and the highest of all.
        self.lowest = [self.first]
        self.highest = self.first
        if self.is_own:
            _tracemalloc.start(FRAMES)
        self.tables_before = _tracemalloc.get_tracemalloc_memory()

    def figures(self):
        """Allocated blocks, resident memory less what tracemalloc may take, and traced bytes. Blocks of up to 512 bytes are counted."""
        import _tracemalloc

        self.tables = _tracemalloc.get_tracemalloc_memory()
        self.overhead = max(self.overhead, 2 * self.tables)
        _, resident, shared = os.pread(self.statm, 100, 0).split()[:3]
        anonymous = (int(resident) - int(shared)) * PAGE - self.overhead
        return sys.getallocatedblocks(), anonymous, _tracemalloc.get_traced_memory()[0]

    def step(self):
        """Looks at the memory, and returns whether the recording is over."""
        elapsed = time.monotonic() - self.started
        if self.is_part_over() and len(self.lowest) < PARTS:
            if self.is_collected_often:
                # Cycles that wait for their collection are no growth.
                gc.collect()
            self.lowest.append(self.figures())
            self.part_began = time.monotonic()
            self.looks = 0
        figures = self.figures()
        self.looks += 1
        self.lowest[-1] = tuple(map(min, self.lowest[-1], figures))
        self.highest = tuple(map(max, self.highest, figures))
        if self.held is None:
            traces = self.count_traces()
            if traces > MAX_TRACES or self.is_busy():
                self.telling = (0, 1)
                self.end()
            elif self.is_note_due(elapsed, traces):
                self.notes = [self.notes[-1], (elapsed, self.take_traces())]
        if self.kind != "holders":
            return self.held is not None or elapsed >= self.seconds
        if elapsed >= self.seconds * MAX_LENGTH:
            return True
        if not self.is_watched():
            return False
        return self.held is not None or self.is_low(figures[2]) or elapsed >= self.seconds * (1 + MAX_EXTENSION)

    def count_traces(self):
        """How many allocations that were recorded since the start are held, about."""
        return (self.tables - self.tables_before) // TRACE_SIZE

    def is_note_due(self, elapsed, traces):
        # Traces that the program records itself may be many.
        is_cheap = self.is_own and traces <= MAX_NOTED_TRACES
        return self.kind == "holders" and is_cheap and elapsed >= max(FIRST_NOTE, 2 * self.notes[-1][0])

    def is_part_over(self):
        return time.monotonic() - self.part_began >= self.seconds / PARTS and self.looks >= MIN_LOOKS

    def is_watched(self):
        """Whether all parts are over, and each had its looks."""
        return len(self.lowest) == PARTS and self.is_part_over()

    def note_turn(self, now):
        """Notes that the agent's thread goes on, which may be late."""
        if self.due:
            self.late += max(now - self.due, 0.0)
            self.due = 0.0

    def expect_turn(self, due):
        self.due = due

    def is_busy(self):
        """Whether requests have waited lately. Whatever the process is busy with, tracing makes it worse."""
        now, ran = time.monotonic(), _running_time()
        since, ran_before, waited_before = self.busy_since
        elapsed = now - since
        if elapsed < BUSY_WINDOW:
            return False
        late, self.late = self.late, 0.0
        if ran - ran_before > MAX_RUNNING * elapsed or late > MAX_LATE * elapsed:
            return True
        waited = _waiting_time()
        self.busy_since = (now, ran, waited)
        return ran - ran_before + waited - waited_before > MAX_RUNNABLE * elapsed

    def is_low(self, traced):
        """Whether no more is held than even growth would have brought."""
        before, last = (figures[2] for figures in self.lowest[-2:])
        return traced <= last + 1.1 * max(last - before, 0) + (1 << 18)

    def milliseconds(self):
        return round((time.monotonic() - self.started) * 1000, 1)

    def stop(self):
        self.was_watched = self.is_watched()
        gc.collect()
        self.lowest[-1] = tuple(map(min, self.lowest[-1], self.figures()))
        if self.held is None:
            self.end()
        self.close()

    def end(self):
        """Ends the recording of allocations."""
        blocks, anonymous, _ = self.figures()
        self.grown = (blocks - self.first[0], anonymous - self.first[1] - RECORDING_NOISE)
        self.traced = time.monotonic() - self.started
        self.held = self.take_traces(is_last=True)

    def take_traces(self, is_last=False):
        """Bytes and number of blocks by call stack, whose innermost frame comes first."""
        import _tracemalloc

        traces = _tracemalloc._get_traces()
        if is_last:
            # Before they are added up, which takes a while.
            self.end_tracing()
        # Equal stacks are one object, whose identity is found faster than its hash.
        stacks = {}
        for trace in traces:
            stack = trace[2]
            held = stacks.get(id(stack))
            if held is None:
                stacks[id(stack)] = held = [stack, 0, 0]
            held[1] += trace[1]
            held[2] += 1
        return {stack: (bytes_, count) for stack, bytes_, count in stacks.values()}

    def end_tracing(self):
        import _tracemalloc

        if self.is_own:
            self.is_own = False
            _tracemalloc.stop()

    def close(self):
        self.end_tracing()
        statm, self.statm = self.statm, None
        if statm is not None:
            os.close(statm)

    def net_growth(self):
        """The part of what is held by which the process grew. A cache that replaces its entries holds much that is new, and does not."""
        lowest = list(zip(*self.lowest))
        if not self.was_watched:
            return 0.0
        total, count = (sum(held[kind] for held in self.held.values()) for kind in (0, 1))
        parts = [grown / max(held, 1) for grown, held in zip(self.grown, (count, total))]
        # Of traced bytes both tell a part; else only what rises does.
        parts.append(max(parts))
        rising = [parts[kind] for kind in self.telling if _rises(lowest[kind], self.highest[kind])]
        return min(max(rising + [0.0]), 1.0)


def _running_time():
    """Processor time of this process without that of the agent, which is the caller."""
    return time.process_time() - time.thread_time()


def _waiting_time():
    """Seconds in which threads of this process waited for a processor. Those that wait for the interpreter's lock do not count."""
    waited = 0
    for thread in os.listdir("/proc/self/task")[:MAX_THREADS]:
        try:
            file = os.open("/proc/self/task/%s/schedstat" % thread, os.O_RDONLY | os.O_CLOEXEC)
            try:
                waited += int(os.read(file, 100).split()[1])
            finally:
                os.close(file)
        except (OSError, ValueError, IndexError):
            # The thread has ended, or the kernel has no such figures.
            continue
    return waited / 1e9


def _spread(looks):
    """The pause after a look at the memory, as a share of the mean: from half to one and a half, by multiples of the golden ratio. Looks at a
    steady pace could keep pace with a program's cycle."""
    return 0.5 + looks * 0.618034 % 1.0


def _rises(lowest, highest):
    """Whether the lowest value of each part of a recording has risen, and by its part of the growth."""
    if len(lowest) < PARTS:
        return False
    growth = lowest[-1] - lowest[0]
    steps = [after - before for before, after in zip(lowest, lowest[1:])]
    return growth > 0 and min(steps) >= MIN_PART * growth >= MIN_PART**2 * (highest - lowest[0])


def _holders(recording):
    """The functions that hold most. Bytes of the standard library belong to its caller."""
    lines = {}
    _add_lines(lines, 0, recording.held)
    # What requests hold for a moment was held before as well, whereas what stays becomes more with time.
    before, noted = next((note for note in reversed(recording.notes) if note[0] <= recording.traced / 2), (0.0, {}))
    _add_lines(lines, 1, noted)
    steady = recording.traced / max(recording.traced - before, 1e-3)
    functions = {}
    names = Names()
    for (file, line), amounts in sorted(lines.items(), key=lambda item: -item[1][0])[: 4 * HOLDERS]:
        held = functions.setdefault((*names.function(file, line), file), [0, 0])
        for kind in (0, 1):
            held[kind] += amounts[kind]
    share = recording.net_growth()
    holders = [
        {
            "function": name[:200],
            "file": file[-300:],
            "line": line,
            "bytes": bytes_,
            "growth": int(share * min(max(bytes_ - noted_bytes, 0) * steady, bytes_)),
        }
        for (name, line, file), (bytes_, noted_bytes) in functions.items()
    ]
    return sorted(holders, key=lambda holder: -holder["bytes"])[:HOLDERS]


def _add_lines(lines, kind, stacks):
    """Adds the bytes of stacks to those of the lines of the program that allocated them."""
    for frames, (bytes_, _) in stacks.items():
        place = next((frame for frame in frames if not _is_library(frame[0])), None)
        if place is not None:
            lines.setdefault(place, [0, 0])[kind] += bytes_


def _refusal(kind, why):
    return {"holders": [], "refused": why} if kind == "holders" else {"profile": {"refused": why}}


def _profile(recording):
    names = Names()
    largest = sorted(recording.held.items(), key=lambda item: -item[1][0])[:2000]
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
        if len(_encode(answer).encode("utf-8", "replace")) <= MAX_PROFILE or not largest:
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
