"""`strategy-ctl` against a real control socket: what it asks, shows and returns."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from shared.bus import ControlServer
from shared.control import AnyRequest, Reply, decode_request, encode_reply
from shared.frames import PairView, SlotView, Status
from shared.units import Ns
from strategy import ctl_screen, ctl_view

Answer = Callable[[AnyRequest], Reply | None]


def call(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from strategy.ctl import main; main()", "--home", home, *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def listening(home: Path, answer: Answer) -> Iterator[list[AnyRequest]]:
    """A control socket in this home that answers so, and keeps what it was asked."""
    (home / "run").mkdir(exist_ok=True)
    heard: list[AnyRequest] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()

    def hear(payload: bytes, reply: Callable[[bytes], None]) -> None:
        request = decode_request(payload)
        assert request is not None
        heard.append(request)
        if (said := answer(request)) is not None:
            reply(encode_reply(said))

    def serve() -> None:
        async def start() -> ControlServer:
            return ControlServer(asyncio.get_running_loop(), home / "run" / "strategy.ctl", hear)

        server = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        server.close()
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(10)
        yield heard
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def agree(request: AnyRequest) -> Reply:
    return Reply(request.request_id, True, "done", {})


def a_status() -> Status:
    pair = PairView(
        *("BTC/EUR", "84999.9", "85000.1", "85000.0", "85001.2", "range_bound", 0.2, True, ""),
        *(39.0, 39.0, ("fee floor 39 bps",)),
    )
    slot = SlotView("b1", "BTC/EUR", "buy", "LIVE", "g1", "84668.5", "0.0059", "0", "resting")
    return Status(
        *(Ns(1), 1, Ns(1), Ns(1), "demo", "trading", False, "ACTIVE_TRADING", "range_bound"),
        *((pair,), (slot,), 1, 0, 0, 7, (), (("BTC", "0.16"), ("EUR", "14000.00")), "0.16"),
        *("0.12", "0", "27600.00", 0.01, 48.2, 3.0, 180.0, 0.2, "up", "online", 0.0012, 0.0025),
        *((), (("adds", 12),), 60.0, 40.0, (("warning", "the feed was stale"),)),
    )


def answer_status(request: AnyRequest) -> Reply:
    return Reply(request.request_id, True, "trading", msgspec.structs.asdict(a_status()))


def test_status_as_json_has_the_documented_keys(tmp_path: Path) -> None:
    with listening(tmp_path, answer_status):
        done = call(tmp_path, "status", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["ok"]
    assert told["balances"] == {"BTC": "0.16", "EUR": "14000.00"}
    for key in ("mode", "phase", "pause", "regime", "fills", "orders", "switch_left_s"):
        assert key in told
    assert told["feed_age_s"] == 0.2
    assert told["slots"][0]["price"] == "84668.5"


def test_status_for_people_is_one_screen(tmp_path: Path) -> None:
    with listening(tmp_path, answer_status):
        done = call(tmp_path, "status")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) <= 24
    for said in ("demo", "trading", "48.2 s", "84668.5", "BTC 0.16", "the feed was stale"):
        assert said in done.stdout


@pytest.mark.parametrize(("levels", "pairs"), [(5, 1), (20, 1), (5, 2), (0, 1)])
def test_status_fits_a_terminal_of_24_lines_of_80(levels: int, pairs: int) -> None:
    names = [f"C{n}/EUR" for n in range(pairs)]
    slots = [
        {"slot": f"{side[0]}{n}", "pair": pair, "side": side, "state": "live",
         "price": f"{85_000 + (n if side == 'sell' else -n) * 250}.5", "qty": "0.00588235",
         "why": "a reason that is much longer than a line of the terminal is wide " * 3}
        for pair in names for side in ("sell", "buy") for n in range(1, levels + 1)
    ]  # fmt: skip
    fill = {"time": "2026-05-28T20:01:40.1Z", "side": "buy", "qty": "1", "price": "2", "fee": "3"}
    data = msgspec.structs.asdict(a_status()) | {
        "pairs": [msgspec.structs.asdict(a_status().pairs[0]) | {"pair": pair} for pair in names],
        "slots": slots,
        "last_fills": [fill] * 50,
        "waits_for": ["something"] * 9,
        "balances": [("BTC", "0.7085373400"), ("EUR", "59992.8021"), ("USD", "1")],
    }
    console = Console(width=80, record=True, file=io.StringIO())
    for part in ctl_screen.status(data):
        console.print(part)
    lines = console.export_text().splitlines()
    assert len(lines) <= 23  # The last one is the prompt's.
    assert max(map(len, lines)) <= 80
    told = "\n".join(lines)
    assert "BTC 0.70853734  EUR 59992.8021" in told
    assert "and 7 more: --json" in told
    assert told.count("fill ") >= 2
    if levels:
        assert told.index("s1 ") < told.index("85250.5") < told.index("84750.5")
    if levels == 20:
        assert "and 14 more rungs: strategy-ctl orders" in told


@pytest.mark.parametrize(
    ("args", "tag"),
    [
        (("orders",), "orders"),
        (("lots",), "lots"),
        (("hold", "lunch"), "hold"),
        (("resume", "lunch is over"), "resume"),
        (("cancel-all",), "cancel-all"),
        (("flatten", "--yes", "flatten"), "flatten"),
        (("explain", "b1"), "explain"),
        (("advice", "off", "no trust"), "advice"),
        (("advice", "on", "trust"), "advice"),
        (("reset-peak", "accepted", "--yes", "reset-peak"), "reset-peak"),
        (("shutdown",), "shutdown"),
    ],
)
def test_each_command_is_its_request(tmp_path: Path, args: tuple[str, ...], tag: str) -> None:
    with listening(tmp_path, agree) as heard:
        plain = call(tmp_path, *args)
        as_json = call(tmp_path, *args, "--json")
    assert (plain.returncode, as_json.returncode) == (0, 0)
    assert json.loads(as_json.stdout)["ok"]
    assert [request.__struct_config__.tag for request in heard] == [tag, tag]
    assert heard[0].request_id != heard[1].request_id


def test_a_refusal_says_why_and_is_1(tmp_path: Path) -> None:
    def refuse(request: AnyRequest) -> Reply:
        return Reply(request.request_id, False, "not while draining", {})

    with listening(tmp_path, refuse):
        done = call(tmp_path, "resume", "now")
        as_json = call(tmp_path, "resume", "now", "--json")
    assert (done.returncode, done.stderr) == (1, "not while draining\n")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout) == {"ok": False, "code": 1, "text": "not while draining"}


def test_nobody_there_is_said_at_once_and_is_3(tmp_path: Path) -> None:
    done = call(tmp_path, "status")
    assert done.returncode == 3
    assert "is not running" in done.stderr
    assert json.loads(call(tmp_path, "status", "--json").stdout)["code"] == 3


def test_a_home_that_does_not_exist_is_3(tmp_path: Path) -> None:
    assert call(tmp_path / "nowhere", "status").returncode == 3


def test_silence_is_4_and_no_hang(tmp_path: Path) -> None:
    with listening(tmp_path, lambda _request: None):
        done = call(tmp_path, "status")
    assert done.returncode == 4
    assert "did not answer" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("flatten",),
        ("flatten", "--yes", "yes"),
        ("hold",),
        ("fly",),
        ("advice", "maybe", "x"),
        ("reset-peak", "x"),
        ("reset-peak", "x", "--yes", "yes"),
    ],
)
def test_what_was_not_said_right_is_2_and_asks_nothing(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    with listening(tmp_path, agree) as heard:
        assert call(tmp_path, *args).returncode == 2
    assert heard == []


def test_a_reason_of_a_page_is_refused_here(tmp_path: Path) -> None:
    assert call(tmp_path, "hold", "x" * 501).returncode == 2


@pytest.mark.parametrize(
    "show", [ctl_screen.status, ctl_view.orders, ctl_view.lots, ctl_view.explain]
)
def test_an_answer_that_lacks_everything_is_shown_as_dashes(show: Callable[..., object]) -> None:
    console = Console(width=100, record=True)
    for part in show({}):  # type: ignore[attr-defined]
        console.print(part)
    assert console.export_text()


def test_the_tax_year_is_shown_with_its_notes_and_what_comes_free() -> None:
    data = {"year": 2026, "net": "12.50", "room": "987.49", "notes": ["stops at 999.99 EUR"]}
    console = Console(width=80, record=True, file=io.StringIO())
    for part in ctl_view.tax(data | {"unlocks": [["2026-12-16", "0.0035"]]}):
        console.print(part)
    told = console.export_text()
    assert "tax year 2026" in told
    assert "room under the Freigrenze  987.49" in told
    assert "- stops at 999.99 EUR" in told
    assert "free of tax next: 2026-12-16 0.0035" in told
