"""check-capture on real recordings and on what recorders make of them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import pytest

from icryptotrader.capture import FAILED, GOOD, UNUSABLE, check_capture
from shared.kraken.checksum import book_checksum
from shared.units import fixed_text

DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "kraken"

Capture = pytest.CaptureFixture[str]


def recording(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip("../shared/data is not beside this checkout")
    return DATA / name


def row(printed: str, symbol: str) -> dict[str, int]:
    """The numbers that are printed for a symbol, by the names of their columns."""
    names = ("messages", "verified", "failed", "unchecked", "desyncs", "resyncs")
    (line,) = re.findall(rf"^{symbol}(?:\s+\d+)+\s*$", printed, re.MULTILINE)
    return dict(zip(names, map(int, line.split()[1:]), strict=True))


@pytest.mark.parametrize(
    ("name", "symbol", "messages"),
    [
        ("book_btcusd_d10_2023-07-30.json", "BTC/USD", 510),
        ("book_minagbp_d25_resync_2026-08-18.jsonl", "MINA/GBP", 5),
        ("book_ethusd_d10_2025-05-06.jsonl", "ETH/USD", 2),
    ],
)
def test_a_whole_recording_is_verified(
    name: str, symbol: str, messages: int, capsys: Capture
) -> None:
    assert check_capture(recording(name)) == GOOD
    printed = capsys.readouterr().out
    numbers = row(printed, symbol)
    assert numbers == dict.fromkeys(numbers, 0) | {"messages": messages, "verified": messages}
    assert f"{messages} of {messages} checksums verified" in printed


def test_a_gap_is_reported_as_a_desync_from_its_line_on(capsys: Capture) -> None:
    assert check_capture(recording("book_btcusd_d10_raw_2026-07-20.jsonl")) == FAILED
    printed = capsys.readouterr().out
    assert row(printed, "BTC/USD") == {
        "messages": 58, "verified": 41, "failed": 1, "unchecked": 16, "desyncs": 1, "resyncs": 0,
    }  # fmt: skip
    assert "line 51: BTC/USD: out of sync from here on" in printed


def test_a_recording_that_its_author_has_shortened_is_not_good(capsys: Capture) -> None:
    assert check_capture(recording("ws_v2_messages_2024.jsonl")) == FAILED
    assert row(capsys.readouterr().out, "BTC/USD")["verified"] == 0


# Made-up captures: two pairs, three messages each.

ASKS = [(1000 + i, 150 + i) for i in range(12)]
BIDS = [(999 - i, 250 + i) for i in range(12)]


def frame(symbol: str, kind: str, bids: str, asks: str, checksum: int) -> str:
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{bids}],'
        f'"asks":[{asks}],"checksum":{checksum}}}]}}'
    )


def side(levels: list[tuple[int, int]], trimmed: bool) -> str:
    texts = [(fixed_text(t, 3), fixed_text(s, 5)) for t, s in levels]
    if trimmed:
        texts = [(repr(float(price)), repr(float(qty))) for price, qty in texts]
    return ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in texts)


def messages(symbol: str, trimmed: bool = False) -> list[str]:
    snapshot = frame(
        symbol, "snapshot", side(BIDS, trimmed), side(ASKS, trimmed), book_checksum(ASKS, BIDS)
    )
    updates, asks = [], dict(ASKS)
    for qty in (20, 30):
        asks[1000] = qty
        checksum = book_checksum(sorted(asks.items()), BIDS)
        updates.append(frame(symbol, "update", "", side([(1000, qty)], trimmed), checksum))
    return [snapshot, *updates]


def write(folder: Path, text: str) -> Path:
    path = folder / "capture.jsonl"
    path.write_text(text)
    return path


def wrap_envelope(line: str) -> str:
    return json.dumps({"received": 1.5, "frame": {"direction": "in", "payload": line}})


@pytest.mark.parametrize(
    "layout",
    [
        "\n".join,
        "\r\n\r\n".join,
        lambda lines: "\ufeff" + "\n".join(lines),
        lambda lines: "\n".join(f'{{"ts":17,"msg":{line}}}' for line in lines),
        lambda lines: "\n".join(map(wrap_envelope, lines)),
        lambda lines: "\n".join(f"[1700000000.5, {line}]" for line in lines),
        lambda lines: "\n".join(f"2026-01-01T00:00:00Z <- {line}" for line in lines),
        lambda lines: "[" + ",\n".join(lines) + "]",
        lambda lines: f'{{"updates":[{",".join(lines[1:])}],\n"init":{lines[0]}}}',
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_frames_are_found_in_every_common_layout(
    layout: object, zipped: bool, tmp_path: Path, capsys: Capture
) -> None:
    assert callable(layout)
    path = write(tmp_path, layout(messages("AB/CD")))
    if zipped:
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert check_capture(path) == GOOD
    assert row(capsys.readouterr().out, "AB/CD")["verified"] == 3


def test_precisions_are_found_although_trailing_zeros_are_lost(
    tmp_path: Path, capsys: Capture
) -> None:
    levels = [(1000, 100_000), (2000, 300_000)], [(500, 200_000)]
    lines = [frame("AB/CD", "snapshot", side(levels[1], True), side(levels[0], True),
                   book_checksum(*levels))]  # fmt: skip
    assert check_capture(write(tmp_path, "\n".join(lines))) == GOOD
    assert row(capsys.readouterr().out, "AB/CD")["verified"] == 1


def test_what_is_given_counts_where_the_capture_is_silent(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path, "\n".join(messages("AB/CD", trimmed=True)))
    assert check_capture(path, price_precision=3, qty_precision=5, depth=25) == GOOD
    assert check_capture(path, price_precision=2, qty_precision=5) == FAILED
    assert check_capture(path, depth=11) == UNUSABLE
    assert check_capture(path, qty_precision=99) == UNUSABLE


def test_the_instrument_channel_of_the_capture_counts_first(tmp_path: Path) -> None:
    instrument = (
        '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"AB/CD",'
        '"base":"AB","quote":"CD","qty_precision":5,"qty_increment":0.00001,"price_precision":3,'
        '"price_increment":0.001,"cost_min":0.5,"qty_min":0.5}]}}'
    )
    path = write(tmp_path, "\n".join([*messages("AB/CD"), instrument]))
    assert check_capture(path, price_precision=1, qty_precision=1) == GOOD


def test_each_pair_is_judged_alone_and_one_can_be_chosen(tmp_path: Path, capsys: Capture) -> None:
    good, bad = messages("AB/CD"), messages("EF/GH")
    bad[1] = re.sub(r'"checksum":\d+', '"checksum":7', bad[1])
    lines = [line for both in zip(good, bad, strict=True) for line in both]
    path = write(tmp_path, "\n".join([*lines, messages("EF/GH")[0], messages("EF/GH")[1]]))
    assert check_capture(path) == FAILED
    printed = capsys.readouterr().out
    assert row(printed, "AB/CD")["verified"] == 3
    assert row(printed, "EF/GH") == {
        "messages": 5, "verified": 3, "failed": 1, "unchecked": 1, "desyncs": 1, "resyncs": 1,
    }  # fmt: skip
    assert "line 4: EF/GH: out of sync" in printed
    assert "line 7: EF/GH: in sync again" in printed
    assert check_capture(path, pair="AB/CD") == GOOD
    assert check_capture(path, pair="XX/YY") == UNUSABLE


def test_many_desyncs_of_one_pair_do_not_cost_the_other(tmp_path: Path, capsys: Capture) -> None:
    spoiled = re.sub(r'"checksum":\d+', '"checksum":7', messages("EF/GH")[0])
    lines = [messages("AB/CD")[0], *[spoiled] * 50, *messages("AB/CD")[1:]]
    assert check_capture(write(tmp_path, "\n".join(lines))) == FAILED
    printed = capsys.readouterr().out
    assert row(printed, "AB/CD")["verified"] == 3
    assert row(printed, "EF/GH")["desyncs"] == 50


def test_lines_that_are_no_frames_are_named_and_skipped(tmp_path: Path, capsys: Capture) -> None:
    noise = ["hello", '{"a":1}', "[]", '{"channel":"book","type":"update"}', "\x00\x01", "{"]
    lines = messages("AB/CD")
    assert check_capture(write(tmp_path, "\n".join([*noise, *lines]))) == GOOD
    printed = capsys.readouterr().out
    for number in range(1, 7):
        assert f"line {number}: not understood" in printed


def test_another_connection_in_one_capture_begins_anew(tmp_path: Path, capsys: Capture) -> None:
    status = '{"channel":"status","type":"update","data":[{"system":"online","connection_id":%d}]}'
    lines = messages("AB/CD")
    text = "\n".join([status % 1, *lines, status % 1, status % 2, lines[1], *lines])
    assert check_capture(write(tmp_path, text)) == GOOD
    numbers = row(capsys.readouterr().out, "AB/CD")
    assert (numbers["verified"], numbers["unchecked"], numbers["desyncs"]) == (6, 1, 0)


def test_the_acknowledged_depth_truncates(tmp_path: Path) -> None:
    ack = (
        '{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,'
        '"symbol":"AB/CD"},"success":true}'
    )
    asks, bids = ASKS[:10], BIDS[:10]
    pushed = [(995, 5), *asks[:9]]
    back = [*asks[:9], (1011, 9)]
    lines = [
        ack,
        frame("AB/CD", "snapshot", side(bids, False), side(asks, False), book_checksum(asks, bids)),
        frame("AB/CD", "update", "", side([(995, 5)], False), book_checksum(pushed, bids)),
        frame("AB/CD", "update", "", side([(995, 0), (1011, 9)], False), book_checksum(back, bids)),
    ]
    assert check_capture(write(tmp_path, "\n".join(lines))) == GOOD


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"not a capture\n",
        bytes(range(256)) * 50,
        b"\x1f\x8b\x08\x00broken",
        gzip.compress(b'{"channel":"heartbeat"}\n' * 100, mtime=0)[:-9],
        "\n".join(messages("AB/CD")[1:]).encode(),
        base64.b64encode(b"x" * 5000),
        b"[" * 200_000,
    ],
)
def test_a_file_that_cannot_be_used_gets_one_clear_line(
    content: bytes, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "capture.jsonl"
    path.write_bytes(content)
    assert check_capture(path) == UNUSABLE
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "capture.jsonl" in said.err
    assert not said.out


def test_a_missing_file_and_a_folder_are_said_so(tmp_path: Path, capsys: Capture) -> None:
    assert check_capture(tmp_path / "none") == UNUSABLE
    assert check_capture(tmp_path) == UNUSABLE
    assert capsys.readouterr().err.count("\n") == 2
