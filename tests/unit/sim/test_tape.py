"""Recorded markets: every form of file, what is said of a bad one, and how it is played."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from shared.units import MINUTE, SECOND
from sim.engine.instruments import LISTINGS
from sim.sources import Hit, Quote
from sim.tape import START, Played, Tape, TapeError, read_tape

PAIR = LISTINGS["BTC/USD"].pair
DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "market"
HEADER = "time_ms,timestamp,side,price,amount\n"
BEGIN = 1_561_939_200
"""2019-07-01 00:00 UTC, in seconds."""


def read(tmp_path: Path, text: str | bytes, name: str = "tape.csv") -> Tape:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_tape(path, PAIR)


def rows(tape: Tape) -> list[tuple[int, int, int, bool]]:
    return [
        (at // SECOND, price, qty, bool(buys))
        for at, price, qty, buys in zip(tape.times, tape.price, tape.qty, tape.buys, strict=True)
    ]


EXPECTED = [(0, 107_494, 400_000, False), (2, 107_497, 3_869_709, True)]


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "1561939203000,x,sell,10749.4,0.004\n1561939205000,x,buy,10749.7,0.03869709\n",
        "Time,Price,Qty,Side\n2019-07-01T00:00:03Z,10749.4,0.004,s\n"
        "2019-07-01T00:00:05.000+0000,10749.7,0.03869709,b\n",
        "1,10749.4,0.004,1,1,1561939203000000,True,True\n"
        "2,10749.7,0.03869709,1,1,1561939205000000,False,True\n",
        "1,10749.4,0.004,1,1,1561939203000,true\n2,10749.7,0.03869709,1,1,1561939205000,false\n",
        "1,10749.4,0.004,43.0,1561939203000,True,True\n"
        "2,10749.7,0.03869709,416.0,1561939205000,False,True\n",
        '{"error":[],"result":{"XXBTZUSD":[["10749.4","0.004",1561939203.0,"s","l","",1],'
        '["10749.7","0.03869709",1561939205.0,"b","m","",2]],"last":"1"}}',
    ],
)
def test_trades_are_read_in_every_usual_form(tmp_path: Path, text: str) -> None:
    assert rows(read(tmp_path, text)) == EXPECTED


def test_without_a_side_a_rise_is_a_buyer_s_and_a_fall_a_seller_s(tmp_path: Path) -> None:
    prices = (100.0, 101.0, 101.0, 100.5, 100.5)
    tape = read(tmp_path, "".join(f"{BEGIN + n},{price},1\n" for n, price in enumerate(prices)))
    assert [buys for *_, buys in rows(tape)] == [True, True, True, False, False]


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    text = HEADER + "1561939203000,x,sell,10749.4,0.004\n1561939205000,x,buy,10749.7,0.03869709\n"
    assert rows(read(tmp_path, gzip.compress(text.encode()), "tape.csv.gz")) == EXPECTED
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        archive.writestr("tape.csv", text)
    assert rows(read_tape(tmp_path / "made.zip", PAIR)) == EXPECTED


AT = f"{BEGIN}000,x"  # a trade's first two cells


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the file is empty"),
        (HEADER, "no row with a time"),
        ("a,b\n1,2\n", "line 1: the header names neither trades"),
        ("1,2\n", "line 1: 2 columns without a header"),
        (f"{HEADER}{AT},sell,1,1\n{AT},sell,abc,1\n", 'line 3: "abc" is not a number: mend it'),
        (f"{HEADER}{AT},sell,1,1\n{AT},sell,-1,1\n", "line 3: price must be above 0"),
        (f"{HEADER}{AT},sell,1,1\n{AT},sell,1,nan\n", 'line 3: "nan" is not a number'),
        (f"{HEADER}{AT},sell,1,1\n{AT},hold,1,1\n", 'line 3: side "hold" is neither buy nor'),
        (f"{HEADER}{AT},sell,1,1\n{AT},sell\n", "line 3: has only 3 columns"),
        (f"{HEADER}{AT},sell\n", "line 2: has only 3 columns"),
        (f"{BEGIN},1,1\n{BEGIN + 1},1,1\n{BEGIN + 3},1,1\n{BEGIN},1,1\n", "line 4: time goes"),
        (f"{BEGIN},2,1,3,2,5,1\n", "line 1: open and close must lie between low and high"),
        ("1561939,100.0,1\n", 'line 1: the time "1561939" lies outside 2009 to 2100'),
        ('{"result":5}', "write a CSV whose header names the columns"),
        ("{", "write a CSV whose header names the columns"),
        ('[{"price":5}]', "write a CSV whose header names the columns"),
        (b"\x1f\x8bxx", "not a readable"),
        (b"PK\x03\x04xx", "not a readable"),
        (b"\xff\xfe\x00", "binary data"),
    ],
)
def test_a_bad_file_is_one_clear_error_with_its_line(
    tmp_path: Path, text: str | bytes, error: str
) -> None:
    with pytest.raises(TapeError) as caught:
        read(tmp_path, text)
    assert error in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="No such file or directory: look at the name"):
        read_tape(tmp_path / "none.csv", PAIR)


@pytest.mark.parametrize(
    ("bar", "walk"),
    [
        (f"{BEGIN + 60},100.0,103.0,99.0,102.0,4", [1000, 990, 1030, 1020]),
        (f"{BEGIN + 60},100.0,103.0,98.0,99.0,4", [1000, 1030, 980, 990]),
    ],
)
def test_a_bar_is_walked_inside_its_interval(tmp_path: Path, bar: str, walk: list[int]) -> None:
    played = Played(read(tmp_path, f"{BEGIN},100.0,100.0,100.0,100.0,0\n{bar}\n"))
    hits = [tick for tick in played.until(START + 3 * MINUTE) if isinstance(tick, Hit)]
    assert [hit.price for hit in hits] == walk, "a bar without volume has no trades"
    assert all(START + MINUTE < hit.at < START + 2 * MINUTE for hit in hits)
    assert sum(hit.qty for hit in hits) == 400_000_000
    assert played.next_at() is None


def test_the_touch_follows_the_tape_and_is_never_crossed(tmp_path: Path) -> None:
    text = HEADER + "".join(
        f"{BEGIN}00{at},x,{side},{price},1\n"
        for at, side, price in [(1, "sell", 100), (2, "buy", 90), (3, "sell", 120), (4, "buy", 0.1)]
    )
    played = Played(read(tmp_path, text))
    for tick in played.until(START + SECOND):
        if isinstance(tick, Quote):
            assert 0 < tick.bid < tick.ask
        else:
            assert tick.price in (played.opening().bid, played.opening().ask) or tick.price == 1


def test_sought_in_the_middle_it_goes_on_there(tmp_path: Path) -> None:
    text = HEADER + "".join(
        f"{1561939200000 + at * 1000},x,buy,{100 + at},1\n" for at in range(1, 9)
    )
    whole = list(Played(read(tmp_path, text)).until(START + 9 * SECOND))
    assert len(whole) == 16
    again = Played(read(tmp_path, text))
    again.seek(START + 3 * SECOND)
    rest = list(again.until(START + 9 * SECOND))
    assert rest == [tick for tick in whole if tick.at > START + 3 * SECOND]
    assert [hit.price for hit in again.history(3)] == [1_020, 1_030, 1_040]


@pytest.mark.parametrize(
    ("name", "count", "bar_s"),
    [
        ("kraken_btcusd_trades_2019-07-01T00.csv.gz", 2_672, 0),
        ("kraken_btcusd_60m_2013-2023.csv.gz", 70_253, 3_600),
        ("binance_btcusdt_1m_2019-10-15_2019-11-14.csv.gz", 43_058, 60),
        ("bitvavo_btceur_1h_2019-12_2024-05.csv.gz", 38_682, 3_600),
    ],
)
def test_real_recordings_are_read(name: str, count: int, bar_s: int) -> None:
    if not DATA.exists():
        pytest.skip("the recordings beside the checkout are absent")
    tape = read_tape(DATA / name, PAIR)
    assert (len(tape), tape.bar_ns // SECOND) == (count, bar_s)
