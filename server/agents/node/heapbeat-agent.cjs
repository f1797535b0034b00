"use strict";

// The Node agent of heapbeat: reports heap figures of this process to the guard that started it (`heapbeat run`). It is loaded by
// NODE_OPTIONS=--require, works for Node 18 and later, and has no dependencies. The protocol is described in docs/agents.md.
//
// Rules: it writes nothing to stdout or stderr, never throws, keeps nothing alive, and does nothing in package managers and other starters
// (but in the programs that they start). HEAPBEAT_AGENT=off switches it off.

const KILOBYTE = 1024;
const MEGABYTE = 1024 * KILOBYTE;

/** Version of the protocol. */
const PROTOCOL = 1;
/** Wait before the first connection, so that short programs never connect. */
const START_DELAY_MS = 100;
/** Longest wait between two attempts to connect. */
const MAX_BACKOFF_MS = 30_000;
/** Maximum length of a message from the guard. */
const MAX_MESSAGE = 64 * KILOBYTE;
/** Maximum length of a profile that is sent, below the guard's limit of 1 MiB. */
const MAX_PROFILE = 900 * KILOBYTE;
/** Mean distance between two samples of V8's sampling heap profiler, in bytes. */
const HEAP_INTERVAL = 512 * KILOBYTE;
/** Mean distance between two samples of Buffers, in bytes, until the table of samples is full. */
const BUFFER_INTERVAL = 256 * KILOBYTE;
/** Maximum number of sampled Buffers. */
const MAX_BUFFER_SAMPLES = 4096;
/** Growth of the memory of Buffers from which on their allocations are sampled. */
const BUFFER_GROWTH = 16 * MEGABYTE;
/** Holders in one report: by bytes, and then more by growth. */
const HOLDERS_BY_BYTES = 7;
const HOLDERS = 10;
/** Shortest time between two purges. */
const PURGE_PAUSE_MS = 5_000;
/** Share of the time that reports of holders may take: each costs a full collection. */
const HOLDERS_SHARE = 0.02;
/** Shortest time between two of them that nobody requested, in intervals of samples. */
const HOLDERS_PAUSE = 5;
/** Reports within the seconds that the guard asks for, if those are less than two pauses, and the share of the time that they may take then. */
const HURRIED_REPORTS = 4;
const HURRIED_SHARE = 0.1;
/** What has to be added to the memory that survives collections before the next report of holders: a share, and bytes. */
const HOLDERS_GROWTH = 0.05;
const HOLDERS_GROWTH_BYTES = 2 * MEGABYTE;
/** The same for memory of which some may be garbage, as no full collection has run, unless the last report has found growth. */
const UNCOLLECTED_GROWTH = 0.5;
const UNCOLLECTED_GROWTH_BYTES = 16 * MEGABYTE;
/** Longest pause, in intervals of samples, after reports that found no growth. */
const MAX_FRUITLESS_PAUSE = 600;
/** Resolution of the event-loop delay. */
const LAG_RESOLUTION_MS = 50;

/** Runs a function; an agent must never throw. */
function quietly(action, otherwise) {
  try {
    return action();
  } catch {
    return otherwise;
  }
}

/** Packages whose own process only starts the program: package managers, and what stands before a command in their scripts. */
const STARTERS =
  /[\\/]node_modules[\\/](?:npm|pnpm|yarn|corepack|node-gyp|@yarnpkg[\\/]cli-dist|tsx|ts-node-dev|nodemon|cross-env|dotenv-cli|env-cmd|concurrently|npm-run-all2?)[\\/]/;

/** Whether this process only starts the program. */
function isStarter(path) {
  if (!path) return false;
  const { basename } = require("node:path");
  const real = quietly(() => require("node:fs").realpathSync(path), path);
  const executed = process.env.npm_execpath;
  if (executed && quietly(() => require("node:fs").realpathSync(executed)) === real) return true;
  if (STARTERS.test(real)) return true;
  return [path, real].some((name) =>
    /^(?:npm|npx|pnpm|pnpx|yarn|yarnpkg|corepack|npm-cli|npx-cli)(?:-\d[\w.-]*)?(?:\.[cm]?js)?$/.test(basename(name)),
  );
}

/** The connection to the guard. Nothing about it keeps the process alive, and the guard may be missing or die at any time. */
class Connection {
  constructor(path, onConnect, onMessage) {
    this.path = path;
    this.onConnect = onConnect;
    this.onMessage = onMessage;
    this.socket = null;
    this.connected = false;
    this.backoff = 0;
    this.nextAttempt = 0;
  }

  /** Connects if that is due. Closes a connection whose guard does not read, as a pending write would keep the process alive. */
  maintain(now) {
    if (this.socket?.writableLength > 0) this.close();
    if (this.socket === null && now >= this.nextAttempt) this.connect(now);
  }

  connect(now) {
    this.backoff = Math.min(Math.max(1_000, this.backoff * 2), MAX_BACKOFF_MS);
    this.nextAttempt = now + this.backoff;
    const socket = require("node:net").connect({ path: this.path });
    this.socket = socket;
    let received = "";
    socket.unref();
    socket.setEncoding("utf8");
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.socket === socket) this.close();
    });
    socket.on("connect", () => {
      if (this.socket !== socket) return;
      socket.unref();
      this.connected = true;
      this.backoff = 0;
      quietly(this.onConnect);
    });
    socket.on("data", (text) => {
      received += text;
      const lines = received.split("\n");
      received = lines.pop();
      if (received.length > MAX_MESSAGE) this.close();
      for (const line of lines) {
        quietly(() => this.onMessage(JSON.parse(line)));
      }
    });
  }

  close() {
    const socket = this.socket;
    this.socket = null;
    this.connected = false;
    socket?.destroy();
  }

  send(message) {
    if (this.connected) this.sendText(JSON.stringify(message));
  }

  sendText(text) {
    if (this.connected) quietly(() => this.socket.write(`${text}\n`));
  }
}

/** The memory that functions can hold: V8's heap, and that of Buffers. */
function occupied(memory) {
  return memory.heapUsed + memory.arrayBuffers;
}

/** Whether a script is the program's: neither Node's own nor this file. */
function isProgramsScript(url) {
  return Boolean(url) && !url.startsWith("node:") && url !== __filename && !url.startsWith("internal/");
}

/** A script's path instead of its URL. */
function toPath(url) {
  return url.startsWith("file:") ? quietly(() => require("node:url").fileURLToPath(url), url) : url;
}

/** The name of a function; code outside of all functions belongs to the module's own, which begins at its first character. */
function functionName(name, line, column) {
  return name || (line === 1 && column <= 1 ? "(top level)" : "(anonymous)");
}

/** Samples the allocations of Buffers while their memory grows: V8's profiler does not see that memory, as it is not in its heap. */
class BufferSampler {
  constructor() {
    this.originals = null;
    this.samples = [];
    this.lowest = Number.POSITIVE_INFINITY;
    this.interval = BUFFER_INTERVAL;
    this.untilNext = 0;
    /** Number of reports so far. */
    this.reports = 0;
  }

  /** Starts and stops with the growth of the memory of Buffers. */
  follow(bytes) {
    this.lowest = Math.min(this.lowest, bytes);
    if (this.originals === null && bytes >= this.lowest + BUFFER_GROWTH) this.start();
    else if (this.originals !== null && bytes < this.lowest + BUFFER_GROWTH / 2) this.stop();
  }

  start() {
    this.originals = new Map();
    for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow", "from"]) {
      const descriptor = Object.getOwnPropertyDescriptor(Buffer, name);
      if (typeof descriptor?.value !== "function" || !descriptor.configurable) continue;
      const original = descriptor.value;
      const sampler = this;
      const wrapper = function (...values) {
        const buffer = Reflect.apply(original, this, values);
        if (sampler.originals !== null) sampler.count(buffer, values[0], wrapper);
        return buffer;
      };
      for (const property of ["name", "length"]) {
        Object.defineProperty(wrapper, property, Object.getOwnPropertyDescriptor(original, property));
      }
      this.originals.set(name, { descriptor, wrapper });
      Object.defineProperty(Buffer, name, { ...descriptor, value: wrapper });
    }
  }

  stop() {
    for (const [name, { descriptor, wrapper }] of this.originals) {
      if (Buffer[name] === wrapper) quietly(() => Object.defineProperty(Buffer, name, descriptor));
    }
    this.originals = null;
    this.samples = [];
    this.interval = BUFFER_INTERVAL;
  }

  count(buffer, source, wrapper) {
    const size = buffer.length;
    this.untilNext -= size;
    if (this.untilNext > 0 || source instanceof ArrayBuffer) return;
    this.untilNext = -Math.log(1 - Math.random()) * this.interval;
    quietly(() => {
      const place = callerOf(wrapper);
      // A Buffer is sampled with the probability 1 - exp(-size / interval), so that this weight makes the sum unbiased.
      const bytes = size / -Math.expm1(-size / this.interval);
      if (place) this.samples.push({ reference: new WeakRef(buffer), bytes, place, reports: this.reports });
      if (this.samples.length > MAX_BUFFER_SAMPLES) this.thinOut();
    });
  }

  thinOut() {
    this.samples = this.samples.filter((sample) => sample.reference.deref() !== undefined);
    if (this.samples.length <= MAX_BUFFER_SAMPLES / 2) return;
    this.interval *= 2;
    this.samples = this.samples.filter((_, index) => index % 2 === 0);
    for (const sample of this.samples) sample.bytes *= 2;
  }

  /** Live samples. */
  live() {
    this.samples = this.samples.filter((sample) => sample.reference.deref() !== undefined);
    return this.samples;
  }
}

/** The innermost function of the program that called a function, with its first line. */
function callerOf(called) {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 16;
    Error.prepareStackTrace = (_, sites) => sites;
    const holder = {};
    Error.captureStackTrace(holder, called);
    const site = holder.stack.find((it) => isProgramsScript(it.getFileName()));
    if (!site) return null;
    const line = site.getEnclosingLineNumber?.() || site.getLineNumber();
    const column = site.getEnclosingColumnNumber?.() || site.getColumnNumber();
    return { function: functionName(site.getFunctionName(), line, column), file: toPath(site.getFileName()), line };
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** V8's sampling heap profiler: which functions allocated the objects that are live. */
class HeapSampler {
  constructor(buffers) {
    this.buffers = buffers;
    this.session = null;
    this.last = new Map();
    /** Number of the last sample that the reports have seen. */
    this.reported = 0;
  }

  start() {
    const { Session } = require("node:inspector");
    const session = new Session();
    session.connect();
    session.post("HeapProfiler.startSampling", { samplingInterval: HEAP_INTERVAL }, (error) => {
      this.session = error ? null : session;
    });
  }

  /** The profile: a tree of calls with the bytes that each allocated itself, and the samples in the order of their allocation. */
  profile() {
    let profile = null;
    this.session?.post("HeapProfiler.getSamplingProfile", (error, result) => {
      profile = error ? null : result.profile;
    });
    return profile;
  }

  /**
   * Live bytes by function, the part of them that survived from the last call, and the growth since then. Bytes of Node's own functions
   * belong to their caller.
   */
  holders() {
    const profile = this.profile();
    if (profile === null) return null;
    const holders = new Map();
    const add = (place, bytes, isOld) => {
      const key = `${place.function}\n${place.file}\n${place.line}`;
      const holder = holders.get(key) ?? { ...place, bytes: 0, survived: 0, growth: 0 };
      holder.bytes += bytes;
      if (isOld) holder.survived += bytes;
      holders.set(key, holder);
    };
    const places = new Map();
    const stack = [[profile.head, { function: "(node)", file: "", line: 0 }]];
    while (stack.length > 0) {
      const [node, outer] = stack.pop();
      const frame = node.callFrame;
      const place = isProgramsScript(frame.url) ? placeOf(frame) : outer;
      places.set(node.id, place);
      for (const child of node.children) stack.push([child, place]);
    }
    const { reported, buffers } = this;
    for (const { nodeId, size, ordinal } of profile.samples) {
      add(places.get(nodeId), size, ordinal <= reported);
      this.reported = Math.max(this.reported, ordinal);
    }
    for (const { place, bytes, reports } of buffers.live()) add(place, bytes, reports < buffers.reports);
    buffers.reports += 1;
    for (const [key, holder] of holders) {
      holder.bytes = Math.round(holder.bytes);
      holder.survived = Math.round(holder.survived);
      holder.growth = holder.bytes - (this.last.get(key) ?? 0);
    }
    this.last = new Map([...holders].map(([key, holder]) => [key, holder.bytes]));
    const byBytes = [...holders.values()].sort((a, b) => b.bytes - a.bytes);
    const rest = byBytes.splice(HOLDERS_BY_BYTES).sort((a, b) => b.growth - a.growth);
    return byBytes.concat(rest.slice(0, HOLDERS - HOLDERS_BY_BYTES));
  }

  /** Number of the last sample that is live. */
  lastOrdinal() {
    return this.profile()?.samples?.reduce((last, sample) => Math.max(last, sample.ordinal), 0) ?? 0;
  }

  /** Live bytes by call stack, of what was allocated after a sample; as text that fits into a message. */
  stacks(after, seconds, started) {
    const profile = this.profile();
    if (profile === null) return JSON.stringify({ profile: { refused: "the heap profiler is not available" } });
    const parents = new Map();
    const nodes = [profile.head];
    for (let index = 0; index < nodes.length; index++) {
      for (const child of nodes[index].children) {
        parents.set(child.id, nodes[index]);
        nodes.push(child);
      }
    }
    const byId = new Map(nodes.map((node) => [node.id, node]));
    const held = new Map();
    for (const sample of profile.samples) {
      if (sample.ordinal <= after) continue;
      const entry = held.get(sample.nodeId) ?? { bytes: 0, count: 0 };
      entry.bytes += sample.size;
      entry.count += 1;
      held.set(sample.nodeId, entry);
    }
    let largest = [...held].sort(([, a], [, b]) => b.bytes - a.bytes).slice(0, 2_000);
    for (;;) {
      const frames = new Map();
      const stacks = largest.map(([id, { bytes, count }]) => {
        const path = [];
        for (let node = byId.get(id); node && path.length < 64; node = parents.get(node.id)) {
          if (!parents.has(node.id)) break;
          const place = placeOf(node.callFrame);
          const key = JSON.stringify([place.function, place.file, place.line]);
          if (!frames.has(key)) frames.set(key, frames.size);
          path.push(frames.get(key));
        }
        return { bytes, count, frames: path };
      });
      const text = JSON.stringify({
        profile: {
          seconds,
          ms: milliseconds(started),
          interval: HEAP_INTERVAL,
          frames: [...frames.keys()].map((key) => JSON.parse(key)),
          stacks,
        },
      });
      if (Buffer.byteLength(text) <= MAX_PROFILE || largest.length === 0) return text;
      largest = largest.slice(0, Math.floor(largest.length / 2));
    }
  }
}

/** Function, file and line of a frame; lines count from 1. */
function placeOf(frame) {
  const line = frame.lineNumber + 1;
  return {
    function: functionName(frame.functionName, line, frame.columnNumber + 1).slice(0, 200),
    file: toPath(frame.url).slice(-300),
    line: frame.url ? line : 0,
  };
}

function milliseconds(started) {
  return Math.round((performance.now() - started) * 10) / 10;
}

/** Runs a full collection. A new context has the function `gc` while the flag is set; the flag is restored at once. */
function collectGarbage() {
  if (typeof globalThis.gc === "function") return globalThis.gc();
  const { setFlagsFromString } = require("node:v8");
  setFlagsFromString("--expose-gc");
  try {
    return require("node:vm").runInNewContext("gc")();
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}

/** The pauses of the garbage collector since the last sample. */
class Pauses {
  constructor(onMajor) {
    this.sum = 0;
    this.count = 0;
    this.longest = 0;
    const { PerformanceObserver, constants } = require("node:perf_hooks");
    const observer = new PerformanceObserver((list) => {
      let isMajor = false;
      for (const entry of list.getEntries()) {
        this.sum += entry.duration;
        this.count += 1;
        this.longest = Math.max(this.longest, entry.duration);
        isMajor ||= entry.detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
      }
      if (isMajor) quietly(onMajor);
    });
    observer.observe({ entryTypes: ["gc"] });
  }

  read() {
    const read = { gc_ms: round(this.sum), gc_count: this.count, gc_longest_ms: round(this.longest) };
    this.sum = this.count = this.longest = 0;
    return read;
  }
}

function round(value) {
  return Math.round(value * 100) / 100;
}

/** The threads of this process. Their heaps are summed where Node tells them (22.16, 24). */
class Threads {
  constructor() {
    this.workers = new Set();
    this.heap = 0;
    this.pending = false;
    quietly(() => {
      require("node:diagnostics_channel").subscribe("worker_threads", ({ worker }) => {
        this.workers.add(worker);
      });
    });
  }

  read() {
    // A thread that has ended has no number; a listener on it could be seen by the program.
    for (const worker of this.workers) {
      if (worker.threadId === -1) this.workers.delete(worker);
    }
    if (this.workers.size === 0) return {};
    const asked = [...this.workers].filter((worker) => typeof worker.getHeapStatistics === "function").slice(0, 16);
    if (asked.length > 0 && !this.pending) {
      this.pending = true;
      Promise.all(asked.map((worker) => worker.getHeapStatistics().catch(() => ({ used_heap_size: 0 }))))
        .then((all) => {
          this.heap = all.reduce((sum, { used_heap_size }) => sum + used_heap_size, 0);
        })
        .finally(() => {
          this.pending = false;
        });
    }
    return { threads: this.workers.size, ...(asked.length > 0 && { threads_heap_used: this.heap }) };
  }
}

/** Reports samples and holders, and answers the guard. */
class Agent {
  constructor(path, interval) {
    this.interval = interval;
    this.now = Date.now;
    this.timer = setTimeout;
    this.connection = new Connection(
      path,
      () => this.hello(),
      (message) => this.handle(message),
    );
    this.threads = new Threads();
    this.buffers = new BufferSampler();
    this.sampler = new HeapSampler(this.buffers);
    this.lastHolders = 0;
    this.nextHolders = 0;
    /** How long the last report of holders interrupted the program: more than its CPU time under a CPU quota. */
    this.holdersTook = 0;
    this.nextPurge = 0;
    /** The memory that had survived a collection at the last report of holders. */
    this.floor = occupied(process.memoryUsage());
    this.fruitless = 0;
    /** Whether the last report has found growth, so that more of it is likely to be growth, too. */
    this.grows = false;
  }

  start() {
    const { monitorEventLoopDelay } = require("node:perf_hooks");
    this.delay = quietly(() => monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS }));
    this.delay?.enable();
    this.pauses = new Pauses(() => this.followFloor());
    quietly(() => this.sampler.start());
    process.on("uncaughtExceptionMonitor", (error) => {
      quietly(() => this.connection.send({ exception: { name: String(error?.constructor?.name).slice(0, 100) } }));
    });
    this.connection.maintain(performance.now());
    setInterval(() => quietly(() => this.tick()), this.interval).unref();
  }

  hello() {
    this.connection.send({
      hello: {
        protocol: PROTOCOL,
        runtime: "node",
        version: process.versions.node,
        pid: process.pid,
        program: String(process.argv[1] ?? "").slice(-300),
        heap_limit: require("node:v8").getHeapStatistics().heap_size_limit,
      },
    });
    this.sample();
  }

  tick() {
    this.connection.maintain(performance.now());
    this.sample();
  }

  sample() {
    const memory = process.memoryUsage();
    this.buffers.follow(memory.arrayBuffers);
    this.followUncollected(memory, performance.now());
    const lag = this.delay ? Math.max(0, this.delay.max / 1e6 - LAG_RESOLUTION_MS) : 0;
    this.delay?.reset();
    this.connection.send({
      sample: {
        at: this.now(),
        heap_used: memory.heapUsed,
        heap_total: memory.heapTotal,
        external: memory.external,
        array_buffers: memory.arrayBuffers,
        rss: memory.rss,
        heap_limit: require("node:v8").getHeapStatistics().heap_size_limit,
        lag_ms: round(lag),
        ...this.pauses.read(),
        ...this.threads.read(),
      },
    });
  }

  /** Reports holders while the memory that survives full collections grows; a program whose memory is stable is not interrupted. */
  followFloor() {
    const floor = occupied(process.memoryUsage());
    if (floor < this.floor) this.floor = floor;
    if (this.hasGrown(floor, HOLDERS_GROWTH, HOLDERS_GROWTH_BYTES)) this.reportHolders();
  }

  /** The same where V8 runs no full collection, as it has room. The report runs one; if that finds garbage only, the pause doubles. */
  followUncollected(memory, now) {
    const pause = Math.min(HOLDERS_PAUSE * 2 ** this.fruitless, MAX_FRUITLESS_PAUSE) * this.interval;
    if (now < this.lastHolders + pause) return;
    const growth = this.grows ? [HOLDERS_GROWTH, HOLDERS_GROWTH_BYTES] : [UNCOLLECTED_GROWTH, UNCOLLECTED_GROWTH_BYTES];
    if (this.hasGrown(occupied(memory), ...growth) && this.reportHolders()) {
      this.fruitless = this.grows ? 0 : this.fruitless + 1;
    }
  }

  hasGrown(bytes, share, least) {
    return bytes >= this.floor * (1 + share) + least;
  }

  /** Reports what holds the memory, and returns whether it did; not too often, as V8 runs a full collection for it. */
  reportHolders() {
    const started = performance.now();
    if (started < this.nextHolders || !this.connection.connected) return false;
    const before = process.cpuUsage();
    const holders = this.sampler.holders();
    // On a machine that is busy with other things wall time would make reports rare, and CPU time includes V8's helper threads.
    const { user, system } = process.cpuUsage(before);
    const took = Math.min(performance.now() - started, (user + system) / 1_000);
    this.lastHolders = started;
    this.holdersTook = performance.now() - started;
    this.nextHolders = performance.now() + Math.max(HOLDERS_PAUSE * this.interval, took / HOLDERS_SHARE);
    if (holders === null) return false;
    const held = occupied(process.memoryUsage());
    this.grows = held > this.floor * (1 + HOLDERS_GROWTH);
    this.floor = held;
    this.connection.send({ holders, held: this.floor, ms: milliseconds(started) });
    return true;
  }

  /** The same, at the latest when this time has passed since the last report. */
  reportHoldersAfter(pause) {
    this.nextHolders = Math.min(this.nextHolders, this.lastHolders + pause);
    return this.reportHolders();
  }

  handle(message) {
    if (message.purge) this.connection.send({ purge: this.purge() });
    if (message.holders) {
      if (!this.reportHoldersAfter(HOLDERS_PAUSE * this.interval))
        this.connection.send({ holders: [], refused: "not available, or reported just before" });
      this.hurry(Number(message.holders.seconds) * 1_000);
    }
    if (message.profile) this.profile(Math.min(Math.max(Number(message.profile.seconds) || 0, 0), 300));
  }

  /** Reports holders more often than usual if the guard has so little time that it would not get enough reports to name a function. */
  hurry(time) {
    if (!(time > 0 && time < 2 * HOLDERS_PAUSE * this.interval)) return;
    const until = performance.now() + 2 * time;
    const report = () => {
      const pause = Math.max(time / HURRIED_REPORTS, this.holdersTook / HURRIED_SHARE);
      this.reportHoldersAfter(pause);
      if (performance.now() < until) this.timer(() => quietly(report), pause).unref();
    };
    report();
  }

  purge() {
    const started = performance.now();
    if (started < this.nextPurge) {
      return { refused: "purged less than 5 s ago", retry_ms: Math.ceil(this.nextPurge - started) };
    }
    const before = process.memoryUsage();
    try {
      collectGarbage();
    } catch {
      return { refused: "this runtime gives no access to its garbage collector" };
    } finally {
      this.nextPurge = performance.now() + PURGE_PAUSE_MS;
    }
    const ms = milliseconds(started);
    const after = process.memoryUsage();
    const freed = before.heapUsed + before.external - after.heapUsed - after.external;
    const rss_freed = Math.max(0, before.rss - after.rss);
    return { freed: Math.max(0, freed), heap_used: after.heapUsed, rss_freed, ms };
  }

  profile(seconds) {
    const started = performance.now();
    const answer = (after) => quietly(() => this.connection.sendText(this.sampler.stacks(after, seconds, started)));
    if (seconds === 0) return answer(0);
    const after = this.sampler.lastOrdinal();
    this.timer(() => answer(after), seconds * 1_000).unref();
  }
}

quietly(() => {
  const path = process.env.HEAPBEAT_AGENT_SOCKET;
  if (!path || /^(?:off|0|false)$/i.test(process.env.HEAPBEAT_AGENT ?? "")) return;
  if (!require("node:worker_threads").isMainThread || isStarter(process.argv[1])) return;
  const interval = Math.max(50, Number(process.env.HEAPBEAT_AGENT_INTERVAL) || 1_000);
  const agent = new Agent(path, interval);
  setTimeout(() => quietly(() => agent.start()), START_DELAY_MS).unref();
});
