"""One market in the dresses of many sources, through the command: one digest for all of them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app
from sim.backtest.data import History
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS

PAIR = LISTINGS["BTC/EUR"].pair
T0 = 1_714_953_600  # 2024-05-06 00:00 UTC
Row = tuple[int, float, float, float, float, float]


def market() -> list[Row]:
    """An hour that falls and rises by more than a rung; open, high, low, close, volume."""
    found, price = [], 62_000.0
    for n in range(60):
        opened, price = price, price + (-1) ** (n // 9) * 70.5
        high, low = max(opened, price) + 8.5, min(opened, price) - 9.5
        found.append((T0 + 60 * n, opened, high, low, price, 0.25 + n / 8))
    return found


def lines(head: str, form: str, *, backwards: bool = False) -> str:
    """The market as text. form: of one row, by the names below."""
    rows = [form.format_map(names(*row)) + "\n" for row in market()]
    return head + "".join(reversed(rows) if backwards else rows)


def names(t: int, o: float, h: float, low: float, c: float, v: float) -> dict[str, object]:
    """t: seconds; at: the same as a moment; o, h, l, c, v; de, ch, fr: these as written there."""
    numbers = {"o": o, "h": h, "l": low, "c": c, "v": v}
    english = {name: f"{value:,}" for name, value in numbers.items()}

    def written(thousands: str, point: str) -> dict[str, str]:
        marks = str.maketrans({",": thousands, ".": point})
        return {name: text.translate(marks) for name, text in english.items()}

    return {
        "t": t, "at": datetime.fromtimestamp(t, UTC), "cost": v * c, **numbers,
        "de": written(".", ","), "ch": written("'", "."), "fr": written("\N{NO-BREAK SPACE}", ","),
    }  # fmt: skip


BINANCE = '[{t}000,"{o}","{h}","{l}","{c}","{v}",{t}999,"{cost}",3,"1","2","0"],'
OKX = '["{t}000","{o}","{h}","{l}","{c}","{v}","{v}","{cost}","1"],'
PLAIN = lines("time,open,high,low,close,volume\n", "{t},{o},{h},{l},{c},{v}")
DRESSES = {
    "Coinbase, named, the newest first": lines(
        "time,low,high,open,close,volume\n", "{t},{l},{h},{o},{c},{v}", backwards=True
    ),
    "Coinbase, bare": lines("", "{t},{l},{h},{o},{c},{v}"),
    "Bitfinex, named": lines("MTS,OPEN,CLOSE,HIGH,LOW,VOLUME\n", "{t}000,{o},{c},{h},{l},{v}"),
    "Bitfinex, bare, the newest first": lines("", "{t}000,{o},{c},{h},{l},{v}", backwards=True),
    "a collection, a title, the newest first": lines(
        "https://www.example.org\nunix,date,symbol,open,high,low,close,Volume BTC,Volume EUR\n",
        "{t},{at:%Y-%m-%d %H:%M:%S},BTC/EUR,{o},{h},{l},{c},{v},{cost}",
        backwards=True,
    ),
    "a title with a comma": lines(
        "Timestamps are UTC timezone,https://www.example.org\n"
        "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume EUR\n",
        "{at:%Y-%m-%d %H:%M},BTCEUR,{o},{h},{l},{c},{v},{cost}",
    ),
    "OKX": lines(
        "ts,o,h,l,c,vol,volCcy,volCcyQuote,confirm\n",
        "{t}000,{o},{h},{l},{c},{v},{v},{cost},1",
    ),
    "KuCoin": lines("time,open,close,high,low,volume,turnover\n", "{t},{o},{c},{h},{l},{v},{cost}"),
    "MetaTrader": lines(
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n",
        "{at:%Y.%m.%d}\t{at:%H:%M:%S}\t{o}\t{h}\t{l}\t{c}\t9\t{v}\t1",
    ),
    "Dukascopy": lines(
        "Gmt time,Open,High,Low,Close,Volume\n",
        "{at:%d.%m.%Y %H:%M:%S.000},{o},{h},{l},{c},{v}",
    ),
    "CoinAPI": lines(
        "time_period_start;time_period_end;price_open;price_high;price_low;price_close;"
        "volume_traded;trades_count\n",
        "{at:%Y-%m-%dT%H:%M:%S.0000000Z};x;{o};{h};{l};{c};{v};5",
    ),
    "German, a title, names of its own": lines(
        "BTC/EUR, Minuten\nZeit;Eröffnung;Hoch;Tief;Schluss;Volumen\n",
        "{at:%d.%m.%y %H:%M};{de[o]};{de[h]};{de[l]};{de[c]};{de[v]}",
    ),
    "German, day and time of day apart": lines(
        "Datum;Uhrzeit;Open;High;Low;Close\n",
        "{at:%d.%m.%Y};{at.hour}:{at:%M};{de[o]};{de[h]};{de[l]};{de[c]}",
    ),
    "Swiss thousands": lines(
        "time;open;high;low;close;volume\n", "{t};{ch[o]};{ch[h]};{ch[l]};{ch[c]};{ch[v]}"
    ),
    "French thousands": lines("time;open;high;low;close\n", "{t};{fr[o]};{fr[h]};{fr[l]};{fr[c]}"),
    "a currency's sign": lines("time,open,high,low,close\n", "{t},€{o},€{h},€{l},€{c}"),
    "an index without a name": lines(
        ",timestamp,open,high,low,close\n",
        "{at.minute},{at:%Y-%m-%d %H:%M:%S+00:00},{o},{h},{l},{c}",
    ),
    "an answer of Binance": f"[{lines('', BINANCE)[:-2]}]",
    "an answer of Coinbase, the newest first": (
        f"[{lines('', '[{t},{l},{h},{o},{c},{v}],', backwards=True)[:-2]}]"
    ),
    "an answer of OKX, the newest first": (
        f'{{"code":"0","msg":"","data":[{lines("", OKX, backwards=True)[:-2]}]}}'
    ),
    "lines that end as on an old Mac": PLAIN.replace("\n", "\r"),
    "two files, one behind the other": PLAIN + "time,open,high,low,close,volume\n",
}


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return played(tmp_path_factory.mktemp("plain"), PLAIN.encode())


def played(folder: Path, content: bytes, name: str = "market.csv") -> str:
    """The line with the digest, and that orders were filled."""
    (folder / name).write_bytes(content)
    found = CliRunner().invoke(
        app, ["--home", str(folder / "home"), "backtest", "--data", str(folder / name)]
    )
    assert found.exit_code == 0, found.output
    assert "60 rows, 2024-05-06T00:00:00Z to 2024-05-06T00:59:00Z" in found.output
    assert "fills       0 " not in found.output
    return next(line for line in found.output.splitlines() if line.startswith("digest "))


@pytest.mark.parametrize("dress", DRESSES)
def test_one_market_in_every_dress_is_one_run(dress: str, digest: str, tmp_path: Path) -> None:
    assert played(tmp_path, DRESSES[dress].encode()) == digest


def test_an_old_excel_s_letters_and_a_packed_file_that_runs_backwards(
    digest: str, tmp_path: Path
) -> None:
    excel = DRESSES["German, a title, names of its own"].encode("cp1252")
    assert played(tmp_path, excel) == digest
    packed = gzip.compress(DRESSES["Coinbase, named, the newest first"].encode())
    assert played(tmp_path, packed, "market.csv.gz") == digest


def test_what_was_made_of_columns_and_order_is_told(tmp_path: Path) -> None:
    path = tmp_path / "market.csv"
    path.write_text(DRESSES["Bitfinex, bare, the newest first"])
    found = History([path], PAIR)
    assert found.found.notes == [
        "market.csv: without a header the columns are taken as time, open, close, high, low, in "
        "which the rows make sense",
        "market.csv: the newest row stands on top: it is read from its end",
    ]
    assert found.begins == T0 * 10**9
    before = found.done
    walls = [bar[0] for bar in found.bars()]
    assert walls == sorted(walls)
    assert (before, found.done) == (0.0, 1.0)


def test_a_long_file_that_runs_backwards_begins_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "market.csv"
    rows = [f"{T0 + 60 * n},100,101,99,100,1" for n in range(1_700)]
    path.write_text("\n".join(reversed(rows)))
    found = History([path], PAIR)
    assert (found.begins, found.interval) == (T0 * 10**9, 60 * 10**9)
    assert [bar[0] // 10**9 for bar in found.bars()] == [T0 + 60 * n for n in range(1_700)]
    assert found.found.gap_count == 0


def test_files_of_both_directions_are_joined_and_a_tear_is_told(tmp_path: Path) -> None:
    """The torn one lacks what stands at its end: its oldest rows."""
    rows = [f"{T0 + 60 * n},100,101,99,100,1" for n in range(30_000)]
    ahead, behind = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    ahead.write_text("\n".join(rows[:20_000]))
    packed = gzip.compress("\n".join(reversed(rows[10_000:])).encode())
    behind.write_bytes(packed[: len(packed) // 2])
    found = History([behind, ahead], PAIR)
    assert [part.path.name for part in found.parts] == ["a.csv", "b.csv.gz"]
    walls = [bar[0] for bar in found.bars()]
    assert walls == sorted(set(walls))
    assert len(walls) > 25_000
    assert any("nothing can be read behind line" in note for note in found.found.notes)


def test_columns_that_make_no_sense_are_refused_before_a_few_of_them_are_played(
    tmp_path: Path,
) -> None:
    path = tmp_path / "market.csv"
    path.write_text(lines("", "{t},{cost},{c},{h},{l},{o},{v}"))
    with pytest.raises(DataError, match=r"of the first 60 rows .*name them in a header line"):
        History([path], PAIR)
    path.write_text(lines("date,open,high,low,close\n", "{at:%Y-%m-%d},{o},{h},{l},{c}"))
    with pytest.raises(DataError, match="bear the time of the row before"):
        History([path], PAIR)
