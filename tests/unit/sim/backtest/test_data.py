"""History files: what is understood, what is told of faults, and what is refused with a reason."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import pytest

from shared import frames
from shared.recording import RecordingHead, RecordingWriter
from shared.units import MINUTE, SECOND, Ns
from sim.backtest.columns import LayoutError, find_layout, read_wall
from sim.backtest.data import History
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS

PAIR = LISTINGS["BTC/EUR"].pair
T0 = 1_700_000_040
"""A full minute, in seconds."""


def history(tmp_path: Path, *texts: str, prices: bool = False) -> History:
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.csv")
        paths[-1].write_text(text)
    return History(paths, PAIR, prices=prices)


def bars(count: int, start: int = T0, each: int = 60, price: float = 100.0) -> str:
    rows = (f"{start + n * each},{price},{price + 1},{price - 1},{price},2" for n in range(count))
    return "\n".join(rows)


BAR_FORMS = {
    "Kraken OHLCVT": f"{T0},100,110,90,105,2.5,17\n{T0 + 60},105,105,105,105,0,0",
    "Kraken with VWAP": f"{T0},100,110,90,105,101.5,2.5,17\n{T0 + 60},105,105,105,105,105,0,0",
    "Binance klines": f"{T0}000,100,110,90,105,2.5,{T0 + 59}999,250,17,1,100,0\n"
    f"{T0 + 60}000,105,105,105,105,0,{T0 + 119}999,0,0,0,0,0",
    "named, in any order": "close,open,Date,low,high,Volume\n"
    "105,100,2023-11-14T22:14:00Z,90,110,2.5\n105,105,2023-11-14 22:15:00+00:00,105,105,0",
    "semicolons and quotes": f'"time";"open";"high";"low";"close";"volume"\n'
    f'"{T0}";"100";"110";"90";"105";"2.5"\n"{T0 + 60}";"105";"105";"105";"105";"0"',
    "Bitvavo": "Datetime,Open,High,Low,Close,Volume\n"
    "2023-11-14T22:14:00.000+0000,100,110,90,105,2.5\n"
    "2023-11-14T22:15:00.000+0000,105,105,105,105,0",
}


@pytest.mark.parametrize("form", BAR_FORMS)
def test_bars_of_every_form_are_read_alike(form: str, tmp_path: Path) -> None:
    found = history(tmp_path, BAR_FORMS[form])
    assert found.is_bars
    assert found.interval == MINUTE
    assert list(found.bars()) == [
        (T0 * SECOND, 1000, 1100, 900, 1050, 250_000_000),
        ((T0 + 60) * SECOND, 1050, 1050, 1050, 1050, 0),
    ]
    assert found.found.bad_rows == 0


DEAL_FORMS = {
    "Kraken": f"{T0}.5,100,1\n{T0 + 1},101,2\n{T0 + 2},99,1",
    "aggTrades": f"7,100,1,1,1,{T0}500,false,true\n8,101,2,2,2,{T0 + 1}000,false,true\n"
    f"9,99,1,3,3,{T0 + 2}000,true,true",
    "Binance trades": f"7,100,1,100,{T0}500,false,true\n8,101,2,202,{T0 + 1}000,false,true\n"
    f"9,99,1,99,{T0 + 2}000,true,true",
    "named": f"time,side,price,amount\n{T0}.500,b,100,1\n{T0 + 1},buy,101,2\n{T0 + 2},sell,99,1",
}


@pytest.mark.parametrize("form", DEAL_FORMS)
def test_trades_of_every_form_are_read_alike(form: str, tmp_path: Path) -> None:
    found = history(tmp_path, DEAL_FORMS[form])
    assert not found.is_bars
    one = 100_000_000
    assert list(found.deals()) == [
        (T0 * SECOND + SECOND // 2, 1000, one, True),
        ((T0 + 1) * SECOND, 1010, 2 * one, True),
        ((T0 + 2) * SECOND, 990, one, False),
    ]


def test_one_price_for_each_line_is_a_minute_each(tmp_path: Path) -> None:
    found = list(history(tmp_path, "price\n100\n101.5\n", prices=True).bars())
    assert [bar[1:5] for bar in found] == [(1000,) * 4, (1015,) * 4]
    assert found[1][0] - found[0][0] == MINUTE


def test_packed_files_are_read_like_plain_ones(tmp_path: Path) -> None:
    packed, archive = tmp_path / "a.gz", tmp_path / "a.zip"
    packed.write_bytes(gzip.compress(bars(3).encode()))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", bars(3))
    assert list(History([packed], PAIR).bars()) == list(History([archive], PAIR).bars())


def test_bad_rows_are_left_out_and_named_by_their_line(tmp_path: Path) -> None:
    good = bars(3).splitlines()
    text = "\n".join(
        [good[0], f"{T0 + 60},1,2", f"{T0 + 60},x,1,1,1,1", f"{T0 + 60},5,4,3,4,1",
         f"{T0 + 60},0,0,0,0,1", f"{T0 + 60},nan,1,1,1,1", good[1], good[1], good[2]]
    )  # fmt: skip
    found = history(tmp_path, text)
    assert len(list(found.bars())) == 3
    told = found.found
    assert told.bad_rows == 6
    lines = [text.split(":")[0] for text in told.bad]
    assert lines == [f"0.csv, line {n}" for n in (2, 3, 4, 5, 6, 8)]
    assert "only 3 columns" in told.bad[0]
    assert "between low and high" in told.bad[2]
    assert "above 0" in told.bad[3]
    assert "time repeats" in told.bad[5]


def test_gaps_are_counted_and_named(tmp_path: Path) -> None:
    found = history(tmp_path, bars(200) + "\n" + bars(5, T0 + 300 * 60))
    list(found.bars())
    assert found.found.gap_count == 1
    assert found.found.gaps == ["0.csv, line 201: 100 bars missing before"]
    assert found.found.longest_gap == 100 * MINUTE


def test_overlapping_files_are_joined_and_each_moment_is_used_once(tmp_path: Path) -> None:
    found = history(tmp_path, bars(10, T0 + 5 * 60), bars(10))
    walls = [bar[0] for bar in found.bars()]
    assert walls == [(T0 + n * 60) * SECOND for n in range(15)]
    assert (found.found.overlap_rows, found.found.bad_rows) == (5, 0)
    assert not found.found.notes


def test_files_that_disagree_where_they_overlap_are_doubted(tmp_path: Path) -> None:
    found = history(tmp_path, bars(10), bars(10, T0 + 5 * 60, price=103))
    list(found.bars())
    assert any("another time zone" in note for note in found.found.notes)


def test_the_same_file_twice_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(bars(4))
    assert len(list(History([path, path], PAIR).bars())) == 4


def test_local_time_gives_itself_away_when_the_clock_goes_back(tmp_path: Path) -> None:
    hours = ["01:00", "02:00", "02:00", "03:00"]
    rows = [f"2023-10-29T{hour}:00,100,101,99,100,1" for hour in hours]
    found = history(tmp_path, "time,open,high,low,close,volume\n" + "\n".join(rows))
    assert len(list(found.bars())) == 3
    assert any("UTC" in note for note in found.found.notes)
    assert any("daylight saving" in note for note in found.found.notes)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"PAR1\x00\x00", "Parquet"),
        (b"\x1f\x8b broken", "not a readable"),
        (b"PK\x03\x04 broken", "not a readable"),
        (b"a,b\n1,2\n", "neither trades"),
        (b"1,2\n", "2 columns without a header"),
        (b"time,open,high,low,close,volume\n", "no row with a time"),
        (b"\xff\xfe\x00,1\n", "not a readable"),
        (b"hello\n", "not a price"),
        (b"1" * 10_000, "longer than"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(
    content: bytes, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=why):
        History([path], PAIR)


def test_a_missing_file_and_mixed_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        History([tmp_path / "none"], PAIR)
    with pytest.raises(DataError, match="one kind at a time"):
        history(tmp_path, bars(5), DEAL_FORMS["Kraken"])
    with pytest.raises(DataError, match="different lengths"):
        history(tmp_path, bars(5), bars(5, each=3600))


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("1700000000", 1_700_000_000 * SECOND),
        ("1700000000000", 1_700_000_000 * SECOND),
        ("1700000000000000", 1_700_000_000 * SECOND),
        ("1700000000000000001", 1_700_000_000 * SECOND + 1),
        ("1700000000.123456789", 1_700_000_000 * SECOND + 123_456_789),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000 * SECOND),
        ("2023-11-14 22:13:20", 1_700_000_000 * SECOND),
    ],
)
def test_times_of_every_unit(text: str, wall: int) -> None:
    assert read_wall(text, []) == wall


def test_prices_with_columns_are_refused() -> None:
    with pytest.raises(LayoutError, match="one price for each line"):
        find_layout(["1", "2"], prices=True)


def test_parquet_is_read_like_the_table_it_is(tmp_path: Path) -> None:
    arrow: Any = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "bars.parquet"
    moments = [(T0 + n * 60) * 1_000 for n in range(5_000)]
    columns = {name: [100.5] * 5_000 for name in ("open", "high", "low", "close", "volume")}
    columns["high"][7] = None  # type: ignore[call-overload]
    table = {"__index_level_0__": arrow.array(moments, arrow.timestamp("ms")), **columns}
    parquet.write_table(arrow.table(table), path)
    found = History([path], PAIR)
    rows = list(found.bars())
    assert (found.interval, len(rows)) == (MINUTE, 4_999)
    assert rows[0] == (T0 * SECOND, 1005, 1005, 1005, 1005, 10_050_000_000)
    assert found.found.bad == ["bars.parquet, line 9: could not convert string to float: ''"]
    assert any("no zone" in note for note in found.found.notes)
    assert found.done == 1.0


def test_a_recording_of_our_feed_is_a_tape(tmp_path: Path) -> None:
    path = tmp_path / "feed.rec"
    head = RecordingHead("test", frames.WIRE, (PAIR.symbol,), Ns(0), Ns(T0 * SECOND), 1)
    writer = RecordingWriter(path, head, 10**6)

    def trade(number: int, price: int) -> frames.Trade:
        wall = Ns((T0 + number) * SECOND)
        return frames.Trade(number, "sell", price, 50_000_000, wall)

    for n in range(3):
        told = (trade(n, 1_000 + n), trade(n + 1, 1_001 + n))  # each is told twice
        frame = frames.Trades(Ns(1), n + 1, Ns(n), Ns(n), PAIR.symbol, told)
        writer.append(Ns(n), b"trades", frames.encode(frame))
    writer.close()
    found = History([path], PAIR)
    assert not found.is_bars
    assert list(found.deals()) == [
        ((T0 + n) * SECOND, 1_000 + n, 50_000_000, False) for n in range(4)
    ]
    with pytest.raises(DataError, match="name one of them with --pair"):
        History([path], LISTINGS["BTC/USD"].pair)
