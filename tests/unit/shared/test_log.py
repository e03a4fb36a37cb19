"""Log lines: written, rotated, masked, rendered, followed."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared import log
from shared.config import Home

ROOT = Path(__file__).resolve().parents[3]
SECRET = 'kQH5/se"cr+et=='


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    hooks = sys.excepthook, threading.excepthook
    log.setup("feed", Home(tmp_path), "INFO")
    yield Home(tmp_path)
    log.close()
    sys.excepthook, threading.excepthook = hooks
    logging.getLogger().handlers = []


def lines(home: Home, name: str = "feed.jsonl") -> list[dict[str, Any]]:
    assert log.flush()
    return [json.loads(line) for line in (home.log / name).read_text().splitlines()]


def test_an_event_is_one_json_line_with_the_standard_fields(home: Home) -> None:
    log.get().info("fill", side="buy", price="84500.0", qty=Decimal("0.0059"))
    (line,) = lines(home)
    assert list(line)[:4] == ["ts", "level", "process", "event"]
    assert line["ts"].endswith("Z")
    assert len(line["ts"]) == len("2026-01-01T00:00:00.000Z")
    del line["ts"]
    assert line == {
        "level": "info",
        "process": "feed",
        "event": "fill",
        "side": "buy",
        "price": "84500.0",
        "qty": "0.0059",
    }


def test_the_file_is_for_its_owner_alone(home: Home) -> None:
    assert stat.S_IMODE((home.log / "feed.jsonl").stat().st_mode) == 0o600


def test_below_the_level_nothing_is_written(home: Home) -> None:
    log.get().debug("noise")
    logging.getLogger("httpx").info("GET https://api.telegram.org/bot123:token/getMe")
    assert lines(home) == []


def test_libraries_write_the_same_lines(home: Home) -> None:
    logging.getLogger("websockets.client").warning("closed by %s", "peer")
    (line,) = lines(home)
    assert (line["event"], line["logger"], line["level"]) == (
        "closed by peer",
        "websockets.client",
        "warning",
    )


def test_a_library_that_misformats_its_message_costs_nothing(home: Home) -> None:
    # Handed to our handler alone: the test runner's own is stricter.
    (bridge,) = (h for h in logging.getLogger().handlers if isinstance(h, log._Bridge))
    bridge.handle(logging.LogRecord("odd", logging.WARNING, "", 0, "%d apples", ("many",), None))
    assert lines(home)[0]["event"] == "%d apples"


def test_a_secret_is_in_no_line_in_no_form(home: Home) -> None:
    log.redact(SECRET)
    log.redact("")
    log.get().info(f"message {SECRET}", field=SECRET, deep={"a": [SECRET]})
    logging.getLogger("x").warning("https://host/?key=kQH5%2Fse%22cr%2Bet%3D%3D")
    try:
        raise ValueError(f"refused {SECRET}")
    except ValueError:
        log.get().exception("failed")
        logging.getLogger("y").exception("failed")
    text = (lines(home) and (home.log / "feed.jsonl").read_text()) or ""
    assert text.count("***") == 6
    assert "kQH5" not in text
    assert log.redacted(f"shown {SECRET}") == "shown ***"


def test_an_exception_brings_its_traceback(home: Home) -> None:
    try:
        raise KeyError("gone")
    except KeyError:
        log.get().exception("failed", pair="BTC/EUR")
    (line,) = lines(home)
    assert "KeyError: 'gone'" in line["exception"]
    assert line["level"] == "error"


def test_a_value_that_is_no_json_is_shown_as_text(home: Home) -> None:
    log.get().info("odd", thing=object, broken="\ud800", raw=b"x")
    assert lines(home)[0]["event"] in ("odd", "'odd'")


def test_a_field_does_not_overwrite_what_every_line_has(home: Home) -> None:
    log.get().info("x", process="strategy", ts="never")
    (line,) = lines(home)
    assert line["process"] == "feed"
    assert line["ts"] != "never"


def test_a_full_queue_drops_the_oldest_and_says_so(home: Home) -> None:
    # One string concatenation per line keeps this quicker than the writer, most of the time.
    for count in range(5 * log.QUEUE_LINES):
        log._writer.put(b'{"n":%d}\n' % count)  # type: ignore[union-attr]
    log.get().info("last")
    written = lines(home)
    dropped = sum(line["count"] for line in written if line.get("event") == "log lines dropped")
    kept = [line["n"] for line in written if "n" in line]
    assert dropped + len(kept) == 5 * log.QUEUE_LINES
    assert kept == sorted(kept)
    assert "last" in [line.get("event") for line in written]


def test_files_rotate_by_size_and_a_bounded_number_is_kept(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "FILE_BYTES", 1_000)
    for count in range(40):
        log.get().info("line", count=count, fill="x" * 200)
        log.flush()
    names = sorted(path.name for path in home.log.iterdir())
    assert names == ["feed.jsonl"] + [f"feed.jsonl.{age}" for age in range(1, log.FILES_KEPT)]
    assert lines(home)[-1]["count"] == 39
    assert lines(home, "feed.jsonl.1")[-1]["count"] == lines(home)[0]["count"] - 1


def test_a_disk_that_refuses_costs_lines_and_is_told_later(home: Home) -> None:
    writer = log._writer
    assert writer is not None
    good = writer._file
    full = os.open("/dev/full", os.O_WRONLY)
    writer._file = full
    log.get().info("lost")
    assert log.flush()
    writer._file = good
    os.close(full)
    log.get().info("written")
    told = lines(home)
    assert [line["event"] for line in told] == ["written", "log lines dropped"]
    assert told[1]["count"] == 1


def test_what_nobody_catches_is_in_the_file(tmp_path: Path) -> None:
    code = (
        "from shared import log; from shared.config import Home; from pathlib import Path\n"
        f"log.setup('feed', Home(Path({str(tmp_path)!r})), 'INFO')\n"
        "log.get().info('begin')\n"
        "raise ValueError('nobody catches me')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 1
    written = [json.loads(x) for x in (tmp_path / "log" / "feed.jsonl").read_text().splitlines()]
    assert [line["event"] for line in written] == ["begin", "uncaught exception"]
    assert "nobody catches me" in written[1]["exception"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            b'{"ts":"2026-02-03T04:05:06.789Z","level":"info","process":"feed","event":"fill",'
            b'"side":"buy","n":3}',
            "04:05:06.789 feed      INFO     fill  side=buy n=3",
        ),
        (b"Traceback (most", "Traceback (most"),
        (b"[1, 2]", "[1, 2]"),
        (b'"\xff', '"\\ufffd'),
        (b'{"event":"\\u001b[2J"}', "             ?         ?        \\x1b[2J"),
        (
            b'{"ts":"2026-02-03T04:05:06.789Z","level":"error","process":"feed","event":"e",'
            b'"exception":"Traceback\\n  ValueError"}',
            "04:05:06.789 feed      ERROR    e\n    Traceback\n      ValueError",
        ),
    ],
)
def test_a_line_is_readable(line: bytes, shown: str) -> None:
    assert log.render(line).replace("\ufffd", "\\ufffd") == shown


def test_the_follower_shows_new_lines_of_all_processes_in_order(tmp_path: Path) -> None:
    def write(name: str, second: int, text: str) -> None:
        with (tmp_path / name).open("a") as file:
            file.write(json.dumps({"ts": f"2026-01-01T00:00:{second:02}.000Z", "event": text}))
            file.write("\n")

    def shown(follower: log.Follower) -> list[str]:
        return [line.split()[-1] for line in follower.poll()]

    write("feed.jsonl", 1, "old")
    follower = log.Follower(tmp_path)
    assert shown(follower) == []
    write("strategy.jsonl", 4, "third")
    write("feed.jsonl", 3, "second")
    write("feed.jsonl", 2, "first")
    assert shown(follower) == ["first", "second", "third"]
    write("feed.jsonl", 5, "before")
    (tmp_path / "feed.jsonl").rename(tmp_path / "feed.jsonl.1")
    write("feed.jsonl", 6, "after")
    assert shown(follower) == ["before", "after"]
    write("feed.jsonl", 7, "again")
    assert shown(follower) == ["again"]
    follower.close()


def test_the_follower_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_text("")
    follower = log.Follower(tmp_path)
    path.write_text('{"event":')
    assert follower.poll() == []
    with path.open("a") as file:
        file.write('"whole"}\n')
    assert [line.split()[-1] for line in follower.poll()] == ["whole"]
    follower.close()
