// An Express server as people write it: no health route, no handler for SIGTERM, and a leak.
//
//   heapbeat run --limit 256MB -- node server.js

import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { WebSocketServer } from "ws";

// A program that needs a while until it listens, as one that loads a model or connects to a database.
await sleep(Number(process.env.START_SECONDS ?? 0) * 1000);

const app = express();

app.get("/", (_request, response) => {
  response.json({ hello: "world", pid: process.pid });
});

/** What `/leak` keeps for ever: numbers on the JavaScript heap. */
const kept = [];
app.get("/leak", (request, response) => {
  kept.push(new Array(Number(request.query.kb ?? 100) * 128).fill(Math.random()));
  response.json({ kept: kept.length });
});

app.get("/slow", async (request, response) => {
  await sleep(Number(request.query.ms ?? 200));
  response.json({ slow: true });
});

// A request that must not be sent twice.
app.post("/orders", async (_request, response) => {
  await sleep(50);
  response.status(201).json({ ordered: true });
});

// Server-sent events: one every 100 ms, and one that says that the stream is complete.
app.get("/stream", async (request, response) => {
  response.type("text/event-stream");
  for (let left = Number(request.query.seconds ?? 5) * 10; left > 0; left--) {
    response.write(`data: ${left}\n\n`);
    await sleep(100);
  }
  response.end("data: end\n\n");
});

const server = createServer(app).listen(process.env.PORT ?? 3000);
// An echo.
new WebSocketServer({ server, path: "/ws" }).on("connection", (socket) => {
  socket.on("message", (message, isBinary) => socket.send(message, { binary: isBinary }));
});
