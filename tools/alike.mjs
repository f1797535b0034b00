// Names the functions of a WebAssembly module so that, in the order of their names, each is beside those that it is most alike.
//
// gzip finds again what is at most 32 kB back, and a module's code is some hundred kB. Two functions are the more alike the more
// runs of four bytes they share. The pairs are taken in that order, those that are most alike first, and each joins two chains
// of functions at their ends; what is left in the end are some chains, one behind the other.

const IMPORTS = 2;
const CODE = 10;

/** Kinds of imports. */
const FUNCTION = 0;
const TAG = 4;

/** Bytes that count as one piece, and the most functions that may have it for it to say anything. */
const PIECE = 4;
const COMMON = 200;

/** How many neighbours a function may have a say in. */
const NEIGHBOURS = 40;

/** Reads numbers (LEB128) and bytes in turn. */
class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  number() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  /** So many bytes. @param {number} length */
  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** @param {number} value @returns {number[]} */
const leb = (value) => (value < 128 ? [value] : [(value % 128) + 128, ...leb(Math.floor(value / 128))]);

/** @param {Uint8Array} wasm */
function* sections(wasm) {
  const reader = new Reader(wasm, 8);
  while (reader.at < wasm.length) {
    const id = reader.number();
    yield { id, content: reader.take(reader.number()) };
  }
}

/** The code of each function, in the order of the module. @param {Uint8Array} content */
function bodies(content) {
  const reader = new Reader(content);
  return Array.from({ length: reader.number() }, () => reader.take(reader.number()));
}

/** How many functions come from outside; they have the first numbers. @param {Uint8Array} content */
function imported(content) {
  const reader = new Reader(content);
  let functions = 0;
  for (let left = reader.number(); left > 0; left -= 1) {
    reader.take(reader.number());
    reader.take(reader.number());
    const kind = reader.number();
    if (kind === TAG) reader.take(1);
    else if (kind !== FUNCTION)
      throw new Error("the module imports what is neither a function nor a kind of exception");
    reader.number();
    functions += Number(kind === FUNCTION);
  }
  return functions;
}

/** How alike two functions are, for all that share something; the most alike first. @param {Uint8Array[]} codes */
function pairs(codes) {
  /** @type {Map<number, number[]>} */
  const having = new Map();
  const pieces = codes.map((code, index) => {
    const own = new Set();
    for (let at = 0; at + PIECE <= code.length; at += 1) {
      own.add(code.subarray(at, at + PIECE).reduce((piece, byte) => piece * 256 + byte, 0));
    }
    for (const piece of own) {
      const known = having.get(piece);
      if (known) known.push(index);
      else having.set(piece, [index]);
    }
    return own;
  });
  return pieces
    .flatMap((own, one) => {
      /** @type {Map<number, number>} */
      const shared = new Map();
      for (const piece of own) {
        const others = having.get(piece) ?? [];
        if (others.length > COMMON) continue;
        for (const other of others) if (other !== one) shared.set(other, (shared.get(other) ?? 0) + 1);
      }
      const closest = [...shared].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, NEIGHBOURS);
      // Of two that share as much the smaller ones are more alike.
      return closest.map(([other, count]) => {
        const smaller = Math.min(own.size, pieces[other]?.size ?? 0);
        return { one, other, alike: count / (Math.sqrt(smaller) + 3) };
      });
    })
    .sort((a, b) => b.alike - a.alike || a.one - b.one || a.other - b.other);
}

/** The numbers of the functions, each beside those that it is most alike. @param {Uint8Array[]} codes */
function chained(codes) {
  const beside = codes.map(() => /** @type {number[]} */ ([]));
  const chain = codes.map((_, index) => index);
  const chainOf = (/** @type {number} */ index) => {
    let at = index;
    for (let next = chain[at]; next !== undefined && next !== at; next = chain[at]) at = next;
    chain[index] = at;
    return at;
  };
  for (const { one, other } of pairs(codes)) {
    const [left, right] = [beside[one], beside[other]];
    if (!left || !right || left.length > 1 || right.length > 1 || chainOf(one) === chainOf(other)) continue;
    left.push(other);
    right.push(one);
    chain[chainOf(one)] = chainOf(other);
  }
  const order = new Set();
  codes.forEach((_, end) => {
    if ((beside[end]?.length ?? 0) > 1) return;
    for (let at = /** @type {number | undefined} */ (end); at !== undefined && !order.has(at); ) {
      order.add(at);
      at = beside[at]?.find((next) => !order.has(next));
    }
  });
  return [...order];
}

/** The module with such names. @param {Uint8Array} wasm */
export function nameAlike(wasm) {
  let [first, codes] = [0, /** @type {Uint8Array[]} */ ([])];
  for (const { id, content } of sections(wasm)) {
    if (id === IMPORTS) first = imported(content);
    if (id === CODE) codes = bodies(content);
  }
  const place = new Map(chained(codes).map((index, at) => [index, at]));
  const name = (/** @type {number} */ index) => Buffer.from(String(place.get(index)).padStart(6, "0"));
  const named = codes.flatMap((_, index) => [...leb(first + index), 6, ...name(index)]);
  const names = [...leb(codes.length), ...named];
  const section = [4, ...Buffer.from("name"), 1, ...leb(names.length), ...names];
  return Buffer.concat([wasm, Buffer.from([0, ...leb(section.length), ...section])]);
}
