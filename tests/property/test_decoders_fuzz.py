"""Untrusted bytes: whatever comes, a decoder gives a value in range or its own one error.

Here are frames, control, configuration, Kraken's CSV exports and the ECB's files. The public line
has test_feed_fuzz.py, the private line and REST tests/unit/shared/kraken, a model's answers
tests/unit/monitor/advisor, what a client sends the simulated exchange test_exchange_fuzz.py.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import control, frames
from shared.config import ConfigError, Home, load
from shared.control import CONTROL_VERSION
from shared.units import Ns
from strategy.ledger import kraken_csv, rates
from strategy.ledger.kraken_csv import CsvError
from strategy.ledger.rates import RatesError

ROOT = Path(__file__).resolve().parents[2]

BOOK = frames.encode(
    frames.Book(Ns(1), 2, Ns(3), Ns(4), "BTC/EUR", True, "", (1,), (1,), (2,), (1,), Ns(5))
)
HOLD = control.encode_request(control.Hold(CONTROL_VERSION, "request-1", "a reason"))
REPLY = control.encode_reply(control.Reply("request-1", True, "done", {"fills": 3}))
LEDGER_CSV = (
    b'"txid","refid","time","type","subtype","aclass","asset","wallet","amount","fee","balance"\n'
    b'"L1","R1","2024-01-02 03:04:05","trade","","currency","XXBT","spot",0.1,0,1.5\n'
)
TRADES_CSV = (
    b'"txid","ordertxid","pair","time","type","ordertype","price","cost","fee","vol","margin",'
    b'"misc","ledgers","trade_id","maker"\n'
    b'"T1","O1","XXBTZEUR","2024-01-02 03:04:05.678","buy","limit",40000.0,400.0,0.6,0.01,0,"",'
    b'"L1,L2",7,"true"\n'
)
MANUAL_CSV = (
    b"id,asset,qty,acquired_at,cost_eur,account,arrived_at,proves\n"
    b"m1,BTC,0.5,2020-02-03,4000,kraken,2020-03-04,invoice\n"
)
ECB_CSV = b"Date,USD,JPY,\n2024-01-03,1.0919,155.82,\n2024-01-02,1.0956,155.65,\n"
ECB_XML = (
    b'<?xml version="1.0"?><gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
    b'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube><Cube time="2024-01-03">'
    b'<Cube currency="USD" rate="1.0919"/></Cube></Cube></gesmes:Envelope>'
)
TOML = (ROOT / "config" / "default.toml").read_bytes()

NASTY = st.sampled_from(
    (
        *(b"NaN", b"sNaN", b"-Infinity", b"1e999999", b"-1", b"", b"\x00", b"\xff\xfe"),
        *(b'"', b"\n", b"\r", b",", b"[" * 2_000, b"9" * 400, b"\xc2\xb2"),
        *(b"0001-01-01", b"9999-12-31T23:59:59"),
    )
)


@st.composite
def mutated(draw: st.DrawFn, samples: tuple[bytes, ...]) -> bytes:
    """A sample of which some places were cut out, doubled or replaced; or bytes of any kind."""
    data = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + 30)))
        data = data[:begin] + draw(NASTY | st.binary(max_size=12)) + data[end:]
    return draw(st.just(data) | st.binary(max_size=80)) if draw(st.booleans()) else data


@given(mutated((BOOK, b"\x91" * 3_000, HOLD)))
def test_no_bytes_of_the_bus_raise(data: bytes) -> None:
    found = frames.decode(data)
    assert found is None or frames.decode(frames.encode(found)) == found


@given(mutated((HOLD, REPLY)))
def test_no_bytes_at_the_control_socket_raise(data: bytes) -> None:
    request, reply = control.decode_request(data), control.decode_reply(data)
    assert request is None or request.version == CONTROL_VERSION
    assert reply is None or isinstance(reply.ok, bool)


def table(text: str) -> list[msgspec.Struct]:
    """A file as the import reads it."""
    readers: dict[str, Callable[[str], list[msgspec.Struct]]] = {
        kraken_csv.LEDGERS: kraken_csv.ledger_rows,  # type: ignore[dict-item]
        kraken_csv.TRADES: kraken_csv.trade_rows,  # type: ignore[dict-item]
        kraken_csv.MANUAL: kraken_csv.manual_rows,  # type: ignore[dict-item]
    }
    return readers[kraken_csv.kind_of(text)](text)


@given(mutated((LEDGER_CSV, TRADES_CSV, MANUAL_CSV)))
def test_no_csv_raises_anything_but_its_own_error_nor_gives_what_is_no_amount(data: bytes) -> None:
    try:
        rows = table(data.decode("utf-8", errors="replace"))
    except CsvError:
        return
    for row in rows:
        for name in ("amount", "fee", "price", "cost", "vol", "qty"):
            value = getattr(row, name, None)
            assert value is None or value.is_finite()


@given(mutated((ECB_CSV, ECB_XML, b"PK\x03\x04" + ECB_CSV)))
def test_no_file_of_rates_raises_anything_but_its_own_error(data: bytes) -> None:
    try:
        found = rates.parse(data)
    except RatesError:
        return
    assert all(rate.value.is_finite() and rate.value > 0 for rate in found)


@settings(max_examples=60, deadline=None)
@given(mutated((TOML,)))
def test_no_configuration_raises_anything_but_its_faults(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        extra = Path(folder) / "extra.toml"
        extra.write_bytes(data)
        try:
            load(Home(Path(folder) / "home"), extra)
        except ConfigError as error:
            assert error.faults
            assert all(error.faults)


def test_the_samples_themselves_are_read() -> None:
    assert frames.decode(BOOK) is not None
    assert control.decode_request(HOLD) is not None
    assert control.decode_reply(REPLY) is not None
    for sample in (LEDGER_CSV, TRADES_CSV, MANUAL_CSV):
        assert len(table(sample.decode())) == 1
    assert len(rates.parse(ECB_CSV)) == 2
    assert len(rates.parse(ECB_XML)) == 1


@pytest.mark.parametrize("number", ["²", "٣", "1" * 5_000])
def test_a_number_that_is_none_in_a_csv_is_no_crash(number: str) -> None:
    text = TRADES_CSV.decode().replace(",7,", f",{number},")
    try:
        table(text)
    except CsvError:
        return
