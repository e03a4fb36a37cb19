"""The three providers' APIs on loopback, which answer as a test wants them to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

PROVIDERS = ("gemini", "anthropic", "openai")
KEY = "CANARY-7f3a9d51-key"

GOOD = {"verdict": "BUY", "confidence": 0.6, "bias_bps": 12.5, "regime_hint": "trending_up"}


class Asked(NamedTuple):
    """One question as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Reply(NamedTuple):
    """body: sent in pieces of `piece` bytes, `pause_s` apart. length: "" sends none."""

    body: bytes = b""
    code: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    wait_s: float = 0.0
    piece: int = 65_536
    pause_s: float = 0.0


def said(provider: str, text: str, tokens: tuple[int, int] = (400, 30)) -> bytes:
    """A text in the provider's own envelope, with more around it than anybody reads."""
    count_in, count_out = tokens
    envelope: dict[str, Any]
    match provider:
        case "gemini":
            parts = [{"text": "hm", "thought": True}, {"text": text}]
            envelope = {
                "candidates": [
                    {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
                ],
                "usageMetadata": {
                    "promptTokenCount": count_in,
                    "candidatesTokenCount": count_out,
                    "totalTokenCount": count_in + count_out,
                },
                "modelVersion": "gemini-2.0-flash",
            }
        case "anthropic":
            envelope = {
                "id": "msg_01",
                "type": "message",
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": count_in, "output_tokens": count_out},
            }
        case _:
            words = {"type": "output_text", "text": text, "annotations": []}
            envelope = {
                "id": "resp_01",
                "object": "response",
                "status": "completed",
                "output": [
                    {"type": "reasoning", "summary": [], "content": None},
                    {"type": "message", "role": "assistant", "content": [words]},
                ],
                "usage": {"input_tokens": count_in, "output_tokens": count_out},
            }
    return json.dumps(envelope).encode()


def good(provider: str) -> Reply:
    return Reply(said(provider, json.dumps(GOOD)))


class Api:
    """A server that answers each question with `reply`; a context manager."""

    def __init__(self, reply: Callable[[], Reply]) -> None:
        self.reply = reply
        self.asked: list[Asked] = []
        self.sent = 0  # bytes of bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            api.asked.append(Asked(self.path, headers, json.loads(raw)))
            reply = api.reply()
            time.sleep(reply.wait_s)
            try:
                self.send_response(reply.code)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                for begin in range(0, len(reply.body), reply.piece):
                    part = reply.body[begin : begin + reply.piece]
                    self.wfile.write(part)
                    api.sent += len(part)
                    time.sleep(reply.pause_s)
            except OSError:
                self.close_connection = True  # Who asked has heard enough.

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler
