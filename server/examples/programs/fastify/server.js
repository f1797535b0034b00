// A Fastify server that closes itself in order on SIGTERM.
//
//   heapbeat run --limit 256MB -- npm start

import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import websocket from "@fastify/websocket";
import Fastify from "fastify";

const app = Fastify();
await app.register(websocket);

app.get("/", async () => ({ hello: "world", pid: process.pid }));

/** What `/leak` keeps for ever: text in a cache that nobody empties. */
const cache = new Map();
app.get("/leak", async (request) => {
  const rows = Array.from({ length: Number(request.query.kb ?? 100) * 8 }, () => ({
    id: cache.size,
    at: Math.random(),
  }));
  cache.set(cache.size, rows);
  return { kept: cache.size };
});

app.get("/slow", async (request) => {
  await sleep(Number(request.query.ms ?? 200));
  return { slow: true };
});

async function* events(count) {
  for (let left = count; left > 0; left--) {
    yield `data: ${left}\n\n`;
    await sleep(100);
  }
  yield "data: end\n\n";
}
app.get("/stream", (request, reply) => {
  reply.type("text/event-stream").send(Readable.from(events(Number(request.query.seconds ?? 5) * 10)));
});

app.get("/ws", { websocket: true }, (socket) => {
  socket.on("message", (message, isBinary) => socket.send(message, { binary: isBinary }));
});

process.once("SIGTERM", () => app.close());
await app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" });
