"""A FastAPI application under uvicorn.

    heapbeat run --limit 256MB -- sh -c 'exec uvicorn app:app --port $PORT'
    heapbeat run --limit 256MB -- python app.py
"""

import asyncio
import os
import time

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

# A program that needs a while until it listens, as one that loads a model.
time.sleep(float(os.environ.get("START_SECONDS", "0")))

app = FastAPI()
kept = []


@app.get("/")
async def hello():
    return {"hello": "world", "pid": os.getpid()}


@app.get("/leak")
async def leak(kb: int = 100):
    """Keeps memory for ever."""
    kept.append(bytearray(b"x") * (kb * 1024))
    return {"kept": len(kept)}


@app.get("/slow")
async def slow(ms: int = 200):
    await asyncio.sleep(ms / 1000)
    return {"slow": True}


@app.post("/orders", status_code=201)
async def order():
    """A request that must not be sent twice."""
    await asyncio.sleep(0.05)
    return {"ordered": True}


@app.get("/stream")
async def stream(seconds: float = 5):
    """Sends an event every 100 ms, and one that says that the stream is complete."""

    async def events():
        for left in range(int(seconds * 10), 0, -1):
            yield f"data: {left}\n\n"
            await asyncio.sleep(0.1)
        yield "data: end\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "3000")), log_level="warning")
