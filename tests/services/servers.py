"""Servers on loopback, each a real one: what they answer is right, but for the faults they are told to make."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    """A request as the server got it."""

    path: str
    headers: dict[str, str]
    body: object
    at: float


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        server = self.server.owner
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, json.loads(body), time.monotonic())
        self.asked = request
        with server.lock:
            server.requests.append(request)
            fault = server.faults.popleft() if server.faults else None
            server.running += 1
            server.most_running = max(server.most_running, server.running)
        try:
            if server.seconds:
                time.sleep(server.seconds)
            if fault is None or fault(self, server.answer(request)):
                send(self, json.dumps(server.answer(request)).encode())
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has gone, as a fault wants it
        finally:
            with server.lock:
                server.running -= 1

    def log_message(self, *_arguments):
        pass


def send(handler, content, status=200, **headers):
    """Send a whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


class Server:
    """A server on a free port; ``answer`` makes the JSON for a request, ``faults`` are made first, one per request."""

    def __init__(self, answer, faults=(), seconds=0.0):
        self.answer = answer
        self.faults = deque(faults)
        self.seconds = seconds
        self.requests = []
        self.running = self.most_running = 0
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.owner = self
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


# --- faults: each gets the handler and the right answer, and returns whether that is still to be sent ---------------


def status(code, content=b"", **headers):
    """Answer with a status, and nothing else."""
    return lambda handler, _answer: send(handler, content, code, **headers)


def raw(content, code=200, **headers):
    """Answer with these bytes."""
    return lambda handler, _answer: send(handler, content, code, **headers)


def drop(handler, _answer):
    """Close the connection instead of answering."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def drop_in_the_middle(handler, answer):
    """Promise the whole body, and close the connection after half of it."""
    content = json.dumps(answer).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.wfile.flush()
    drop(handler, answer)


def truncate(handler, answer):
    """Send half of the body as if it were all of it."""
    content = json.dumps(answer).encode()
    send(handler, content[: len(content) // 2])


def trickle(handler, answer):
    """Send the body, but a byte every tenth of a second."""
    content = json.dumps(answer).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    for byte in content:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.1)


def trickle_headers(handler, _answer):
    """Send headers without end, one every tenth of a second."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        handler.wfile.write(f"X-{number}: 1\r\n".encode())
        time.sleep(0.1)


def stall(handler, _answer):
    """Answer nothing for a long while."""
    time.sleep(3)
    handler.close_connection = True


def change(function):
    """Answer with what a function makes of the right answer."""
    return lambda handler, answer: send(handler, json.dumps(function(answer)).encode())


# --- right answers -------------------------------------------------------------------------------------------------


def mlflow(request):
    """Answer as MLflow's scoring server with a model that says 1 where ``age`` is above 30."""
    frame = request.body["dataframe_split"]
    age = frame["columns"].index("age")
    return {"predictions": [int((row[age] or 0) > 30) for row in frame["data"]]}


def chat(request):
    """Answer as a chat model that says the last word of what it was asked, with its tokens counted."""
    text = request.body["messages"][-1]["content"]
    usage = {"prompt_tokens": len(text.split()), "completion_tokens": 1, "total_tokens": len(text.split()) + 1}
    message = {"role": "assistant", "content": text.split()[-1]}
    return {"id": "c1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}


def tensors(request):
    """Answer as a server of the open inference protocol, with a label and a probability for each row."""
    (age,) = (tensor for tensor in request.body["inputs"] if tensor["name"] == "age")
    size = age["shape"][0]
    return {
        "model_name": "m",
        "outputs": [
            {"name": "label", "shape": [size, 1], "datatype": "INT64", "data": [int(v > 30) for v in age["data"]]},
            {"name": "p", "shape": [size, 1], "datatype": "FP64", "data": [[v / 100] for v in age["data"]]},
        ],
    }
