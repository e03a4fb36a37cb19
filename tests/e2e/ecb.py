"""A data portal of the ECB on loopback: answers as the real one does, for any days asked about."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

from strategy.ledger.rates import is_target_day

HEADER: Final = "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE"
UNITS: Final = {
    "AUD": "1.70", "CAD": "1.55", "CHF": "0.95", "GBP": "0.86", "JPY": "165.1", "USD": "1.10",
}  # fmt: skip


class Portal:
    """What it was asked, and what it does next. until: no later day is published yet."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.failures = 0  # so many questions are answered with 503 first
        self.until = date.max
        self.usd = UNITS["USD"]

    def rows(self, path: str) -> list[str]:
        """The lines of the answer; none where there is no value of the period."""
        parts = urlsplit(path)
        span = {name: date.fromisoformat(found[0]) for name, found in _periods(parts.query)}
        currencies = parts.path.rpartition("/")[2].split(".")[1].split("+")
        day, found = span["startPeriod"], []
        while day <= min(span["endPeriod"], self.until):
            if is_target_day(day):
                found += [self._row(currency, day) for currency in currencies]
            day += timedelta(days=1)
        return found

    def _row(self, currency: str, day: date) -> str:
        value = self.usd if currency == "USD" else UNITS[currency]
        return f"EXR.D.{currency}.EUR.SP00.A,D,{currency},EUR,SP00,A,{day},{value}"


def _periods(query: str) -> Iterator[tuple[str, list[str]]]:
    asked = parse_qs(query)
    assert (asked["format"], asked["detail"]) == (["csvdata"], ["dataonly"])
    yield from ((name, asked[name]) for name in ("startPeriod", "endPeriod"))


@contextmanager
def portal() -> Iterator[Portal]:
    """A portal that listens until the block ends."""
    state = Portal()

    class Desk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            if state.failures > 0:
                state.failures -= 1
                self._answer(503, b"busy")
            elif rows := state.rows(self.path):
                self._answer(200, "\r\n".join([HEADER, *rows, ""]).encode())
            else:
                self._answer(404, b"No results found.")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/service/data/EXR"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
