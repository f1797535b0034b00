"""A Flask application under gunicorn, which reads PORT by itself.

    heapbeat run --limit 256MB -- gunicorn --threads 8 app:app
    heapbeat run --limit 512MB -- gunicorn --workers 4 --preload app:app
"""

import os
import time

from flask import Flask, Response, request

time.sleep(float(os.environ.get("START_SECONDS", "0")))

app = Flask(__name__)
kept = []


@app.get("/")
def hello():
    return {"hello": "world", "pid": os.getpid()}


@app.get("/leak")
def leak():
    """Keeps memory for ever."""
    kept.append(bytearray(b"x") * (int(request.args.get("kb", "100")) * 1024))
    return {"kept": len(kept)}


@app.get("/slow")
def slow():
    time.sleep(int(request.args.get("ms", "200")) / 1000)
    return {"slow": True}


@app.get("/stream")
def stream():
    """Sends an event every 100 ms, and one that says that the stream is complete."""
    seconds = float(request.args.get("seconds", "5"))

    def events():
        for left in range(int(seconds * 10), 0, -1):
            yield f"data: {left}\n\n"
            time.sleep(0.1)
        yield "data: end\n\n"

    return Response(events(), mimetype="text/event-stream")
