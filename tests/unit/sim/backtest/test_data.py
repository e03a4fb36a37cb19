"""History files: what is understood, what is told of faults, and what is refused with a reason."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
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


MORE_BAR_FORMS = {
    "names of one letter, between strokes": f"t|o|h|l|c|v\n{T0}|100|110|90|105|2.5\n"
    f"{T0 + 60}|105|105|105|105|0",
    "decimal commas and German dates": "sep=;\nDatum;Open;High;Low;Close;Volume\n"
    "14.11.2023 22:14;100,0;110,0;90,0;105,0;2,5\n14.11.2023 22:15:00;105;105;105;105;0",
    "English thousands in quotes": "time,open,high,low,close,volume\n"
    f'{T0},"0,100.0","0,110","90","105.00",2.5\n{T0 + 60},105,105,105,105,0',
    "a title, comments and empty lines": "www.example.org\n# by me\n\n"
    f"time,open,high,low,close,volume\n# from here on\n{T0},100,110,90,105,2.5\n\n"
    f"{T0 + 60},105,105,105,105,0",
    "Kraken's answer OHLC": '{"error":[],"result":{"XXBTZEUR":['
    f'[{T0},"100","110","90","105","101","2.5",17],[{T0 + 60},"105","105","105","105","0","0",0]'
    f'],"last":{T0}}}}}',
    "UTC as a word, floats as times": "time,open,high,low,close,volume\n"
    f"2023-11-14 22:14:00 UTC,100,110,90,105,2.5\n{T0 + 60}000.0,105,105,105,105,0",
}


@pytest.mark.parametrize("form", MORE_BAR_FORMS)
def test_bars_of_rarer_forms_are_read_alike(form: str, tmp_path: Path) -> None:
    found = history(tmp_path, MORE_BAR_FORMS[form])
    assert found.interval == MINUTE
    assert list(found.bars()) == [
        (T0 * SECOND, 1000, 1100, 900, 1050, 250_000_000),
        ((T0 + 60) * SECOND, 1050, 1050, 1050, 1050, 0),
    ]
    assert found.found.bad_rows == 0
    told = [note for note in found.found.notes if "commas" in note]
    assert bool(told) == ("comma" in form or "thousands" in form)


@pytest.mark.parametrize(
    "text", [f"{T0},100\n{T0 + 60},101.5", f"time,close\n{T0},100\n{T0 + 60},101.5"]
)
def test_times_with_prices_are_bars_of_one_price(text: str, tmp_path: Path) -> None:
    found = history(tmp_path, text)
    assert (found.is_bars, found.interval) == (True, MINUTE)
    assert [bar[1:] for bar in found.bars()] == [(1000,) * 4 + (0,), (1015,) * 4 + (0,)]


DEAL_FORMS = {
    "Kraken": f"{T0}.5,100,1\n{T0 + 1},101,2\n{T0 + 2},99,1",
    "aggTrades": f"7,100,1,1,1,{T0}500,false,true\n8,101,2,2,2,{T0 + 1}000,false,true\n"
    f"9,99,1,3,3,{T0 + 2}000,true,true",
    "aggTrades of futures": f"7,100,1,1,1,{T0}500,False\n8,101,2,2,2,{T0 + 1}000,False\n"
    f"9,99,1,3,3,{T0 + 2}000,True",
    "aggTrades with their header": "agg_trade_id,price,quantity,first_trade_id,last_trade_id,"
    f"transact_time,is_buyer_maker\n7,100,1,1,1,{T0}500,false\n8,101,2,2,2,{T0 + 1}000,false\n"
    f"9,99,1,3,3,{T0 + 2}000,true",
    "trades of futures": f"7,100,1,100,{T0}500,false\n8,101,2,202,{T0 + 1}000,false\n"
    f"9,99,1,99,{T0 + 2}000,true",
    "Binance trades": f"7,100,1,100,{T0}500,false,true\n8,101,2,202,{T0 + 1}000,false,true\n"
    f"9,99,1,99,{T0 + 2}000,true,true",
    "Kraken's answer Trades": '{"error":[],"result":{"XXBTZEUR":['
    f'["100","1",{T0}.5,"b","m","",1],["101","2",{T0 + 1}.0,"b","l","",2],'
    f'\n["99","1",{T0 + 2}.0,"s","m","",3]],"last":"1"}}}}',
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
    plain = list(history(tmp_path, bars(3)).bars())
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    archive, wide = tmp_path / "a.zip", tmp_path / "wide.csv"
    for name, pack in packers.items():
        (tmp_path / f"a.{name}").write_bytes(pack(bars(3).encode()))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", bars(3))
        file.writestr("__MACOSX/._a.csv", b"\0\5\26\7")  # what a Mac puts beside it
    wide.write_text(bars(3), encoding="utf-16")
    for path in (*(tmp_path / f"a.{name}" for name in packers), archive, wide):
        assert list(History([path], PAIR).bars()) == plain, path


def test_what_a_torn_file_holds_before_the_tear_is_played_and_told(tmp_path: Path) -> None:
    packed, torn = gzip.compress(bars(20_000).encode()), tmp_path / "torn.gz"
    torn.write_bytes(packed[: len(packed) // 2])
    found = History([torn], PAIR)
    count = len(list(found.bars()))
    assert 1_000 < count < 20_000
    assert f"torn.gz: nothing can be read behind line {count}" in found.found.notes[0]
    spoiled = bytearray(packed)
    spoiled[len(packed) // 2 :] = b"\xff" * 64  # no tear, but bits that mean nothing
    torn.write_bytes(spoiled)
    found = History([torn], PAIR)
    list(found.bars())
    assert "nothing can be read behind line" in found.found.notes[-1]


def test_a_line_without_end_and_bytes_that_are_no_text_are_one_bad_row_each(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    first, second, third = (f"{row}\n".encode() for row in bars(3).splitlines())
    path.write_bytes(first + b"9" * 50_000 + b"\n" + second + b"1700000140,\xff,1,1,1,1\n" + third)
    found = History([path], PAIR)
    assert len(list(found.bars())) == 3
    assert [text.partition(":")[0] for text in found.found.bad] == [
        "a.csv, line 2",
        "a.csv, line 4",
    ]


def test_a_time_that_cannot_be_is_one_bad_row_and_hides_none_behind_it(tmp_path: Path) -> None:
    rows = bars(5).splitlines()
    rows.insert(2, rows[2].replace(str(T0 + 120), "1" + "0" * 30))
    rows.insert(4, rows[4].replace(str(T0 + 180), "-5"))
    found = history(tmp_path, "\n".join(rows))
    assert len(list(found.bars())) == 5
    assert (found.found.bad_rows, found.found.overlap_rows, found.found.gap_count) == (2, 0, 0)
    assert "outside 2009 to 2100" in found.found.bad[0]


def test_where_no_row_is_of_use_the_first_ones_say_why(tmp_path: Path) -> None:
    swapped = "\n".join(f"{T0 + n * 60},105,90,110,100,1" for n in range(9))
    found = history(tmp_path, swapped)
    with pytest.raises(DataError, match=r"not one of 9 rows.*line 1: open and close.*header"):
        list(found.bars())


def test_a_price_that_leaps_is_doubted_and_so_is_a_name_of_another_currency(
    tmp_path: Path,
) -> None:
    path = tmp_path / "XBTUSD_1.csv"
    path.write_text(bars(2) + "\n" + bars(1, T0 + 120, price=1_000) + "\n" + bars(1, T0 + 180))
    found = History([path], PAIR)
    assert len(list(found.bars())) == 4
    name, leap = found.found.notes
    assert "its name says USD" in name
    assert "at line 3" in leap
    deals = history(tmp_path, "\n".join(f"{T0 + n},{100 + 400 * (n == 3)},1" for n in range(6)))
    assert len(list(deals.deals())) == 6
    assert "at line 4" in deals.found.notes[0]


def test_trades_that_disagree_where_they_overlap_are_doubted_once_a_file(tmp_path: Path) -> None:
    first = "\n".join(f"{T0 + n},100,1" for n in range(60))
    other = "\n".join(f"{T0 + n},102,1" for n in range(30, 90))
    found = history(tmp_path, first, other)
    list(found.deals())
    assert [note for note in found.found.notes if "another market" in note] == found.found.notes
    assert len(found.found.notes) == 1


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


def test_an_hour_without_a_trade_is_a_gap(tmp_path: Path) -> None:
    found = history(tmp_path, f"{T0},100,1\n{T0 + 3_600},100,1\n{T0 + 18_000},100,1")
    assert len(list(found.deals())) == 3
    assert found.found.gaps == ["0.csv, line 3: 240 minutes without a trade before"]
    assert (found.found.gap_count, found.found.longest_gap) == (1, 240 * MINUTE)


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
        (b"\xff\xfe\x00,1\n", "is not a price"),
        (b"hello\n", "not a price"),
        (b"1" * 10_000, "longer than"),
        (b"\0" * 10, "binary data"),
        (bytes(range(128, 250)), "binary data"),
        (b'[[1700000040000,"1","1"]]', "write a CSV whose header names the columns"),
        (b'{"error":["EQuery:Unknown asset pair"]}', "JSON is read as an exchange's answer"),
        (b'{"error":[],"result":{"X":[[1,2]],"last":1}}', "JSON is read as an exchange's answer"),
        (b"[" * 100_000, "JSON is read as an exchange's answer"),
        (b"PK\x05\x06" + b"\0" * 18, "holds 0 files"),
        (b"06/01/2024,1,1,1,1,1\n", "may be two days .*write 2024-06-05"),
        (bars(3)[::-1].encode(), "no row with a time"),
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
    assert found.found.bad == ['bars.parquet, line 9: "" is not a number']
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
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0\0\1")  # killed while it wrote
    torn = History([path], PAIR)
    assert len(list(torn.deals())) == 4
    assert torn.found.notes == [
        f"feed.rec: ends before its end: damaged from byte {len(whole)} on; what is readable is "
        "played"
    ]
    empty = tmp_path / "empty.rec"
    RecordingWriter(empty, head, 10**6).close()
    with pytest.raises(DataError, match="holds no trade of BTC/EUR"):
        History([empty], PAIR)
    with pytest.raises(DataError, match="name one of them with --pair"):
        History([path], LISTINGS["BTC/USD"].pair)
