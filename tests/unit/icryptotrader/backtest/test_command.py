"""`icryptotrader backtest` as it is typed: data in, a report out, and clear answers otherwise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.backtest.command import Options, moment_of, terms_of
from icryptotrader.cli import app
from shared.charts import script_file
from shared.config import ConfigError, Home, load
from shared.units import MILLISECOND, SECOND
from sim.backtest.data import History
from sim.backtest.parts import Terms
from sim.backtest.run import AT_ONCE, headline, play
from sim.engine.instruments import LISTINGS

T0 = 1_700_000_040
PAIR = LISTINGS["BTC/EUR"].pair


def zigzag(count: int) -> str:
    """Minute bars that wander 3 % up and down."""
    rows, price = [], 30_000.0
    for n in range(count):
        then = 30_000.0 * (1 + 0.03 * ((n * 7) % 40 - 20) / 20)
        high, low = max(price, then) + 20, min(price, then) - 20
        rows.append(f"{T0 + n * 60},{price},{high},{low},{then},3.5,9")
        price = then
    return "\n".join(rows)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.csv"
    path.write_text(zigzag(150))
    return path


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    home = str(tmp_path / "home")
    found = CliRunner().invoke(app, ["backtest", "--home", home, "--pair", "BTC/EUR", *words])
    return found.exit_code, found.output


def test_a_report_is_told_and_written(tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text = run(tmp_path, "--data", str(tape), "--out", str(out))
    assert code == 0, text
    for word in ("this bot", "hold", "50/50", "weekly buying", "bias band", "digest", "grid"):
        assert word in text
    report = json.loads((out / "report.json").read_bytes())
    assert report["rows"] == 150
    assert report["fills"] == len(report["fill_rows"]) > 0
    assert report["lots"]
    assert (out / "report.json").read_text() == json.dumps(report, indent=1, ensure_ascii=False)
    page = (out / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    library = script_file().read_text(encoding="utf-8")
    assert page.count(library) == 1
    own = page.replace(library, "")
    for fetched in ("http://", "https://", "src=", "@import", "url("):
        assert fetched not in own
    assert "default-src 'none'" in own
    places = re.findall(r'data-plot="([^"]+)"', own)
    assert places == ["equity", "drawdown", "price", "coins", "unlocks"]
    (data,) = re.findall(r'id="figures">(.*?)</script>', own)
    drawn = json.loads(data)
    assert list(drawn) == places
    marked = [t for t in drawn["price"]["data"] if t["mode"] == "markers"]
    assert sum(len(trace["x"]) for trace in marked) == report["fills"]
    assert report["digest"] in own


def test_the_same_run_has_the_same_digest_and_another_one_has_not(
    tape: Path, tmp_path: Path
) -> None:
    def digest(*more: str) -> str:
        _, text = run(tmp_path, "--data", str(tape), *more)
        return next(line for line in text.splitlines() if line.startswith("digest"))

    assert digest() == digest()
    assert len({digest(), digest("--fees", "0.4"), digest("--fill", "touch")}) == 3


def test_the_headline_is_the_path_with_less_in_the_end(tape: Path, tmp_path: Path) -> None:
    tape.write_text(zigzag(300))
    history = History([tape], PAIR)
    played = play(
        history, load(Home(tmp_path)), Terms(maker=1200, taker=2500), (0, 1 << 62),
        lambda rows, wall: True,
    )  # fmt: skip
    ends = {run.path: run.course.last.equity for run in played.runs if run.course.last}
    assert set(ends) == {"low_first", "high_first"}
    assert ends[headline(played).path] == min(ends.values())


def test_only_rows_between_from_and_to_are_played(tape: Path, tmp_path: Path) -> None:
    begin, end = "2023-11-14T22:30:00", "2023-11-14T23:00:00"
    code, text = run(tmp_path, "--data", str(tape), "--from", begin, "--to", end)
    assert code == 0
    assert "30 rows, 2023-11-14T22:30:00Z to 2023-11-14T22:59:00Z" in text
    code, text = run(tmp_path, "--data", str(tape), "--from", "2030-01-01")
    assert code == 2
    assert "no row lies within" in text


def test_an_interrupted_run_tells_what_it_has(tape: Path, tmp_path: Path) -> None:
    tape.write_text(zigzag(300))
    history = History([tape], PAIR)
    played = play(
        history, load(Home(tmp_path)), Terms(), (0, 1 << 62), lambda rows, wall: rows < AT_ONCE
    )
    assert (played.rows, played.whole) == (AT_ONCE, False)
    assert all(run.course.last for run in played.runs)


def test_a_touch_fills_more_than_a_trade_through(tape: Path, tmp_path: Path) -> None:
    """The low of a bar is exactly a resting buy's price, again and again."""
    counts = {}
    for fill in ("touch", "through"):
        out = tmp_path / fill
        run(tmp_path, "--data", str(tape), "--fill", fill, "--out", str(out))
        counts[fill] = json.loads((out / "report.json").read_bytes())["fills"]
    assert counts["touch"] >= counts["through"] > 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--data", "{tape}", "--fill", "queue"], 2, "bars do not say"),
        (["--data", "{tape}", "--fill", "luck"], 78, "touch, through or queue"),
        (["--data", "{tape}", "--fees", "cheap"], 78, "tier"),
        (["--data", "{tape}", "--fees", "nan"], 78, "0 to 10 percent"),
        (["--data", "{tape}", "--tax-rate", "42"], 78, "ratio from 0 to 1"),
        (["--data", "{tape}", "--latency", "-1"], 78, "milliseconds"),
        (["--data", "{tape}", "--ahead", "many"], 78, "coins that stand before us"),
        (["--data", "{tape}", "--from", "soon"], 78, "is no date"),
        (["--data", "{tape}", "--from", "2030-01-01", "--to", "2029-01-01"], 78, "not before --to"),
        (["--data", "{tape}", "--from", "2030-01-01"], 2, "2023-11-14T22:14 to 2023-11-15T00:43"),
        (["--data", "{tape}", "--pair", "DOGE/EUR"], 78, "one of"),
        (["--data", "/nowhere/at/all.csv"], 2, "No such file"),
        ([], 2, "one of the two"),
        (["{tape}"], 2, "one of the two"),
        (["--data", "{tape}", "--out", "{tape}"], 1, "name a folder that can be written to"),
        (["--data", "{tape}", "--prices", "{tape}"], 2, "one of the two"),
        (["--data", "{tape}", "--rates", "{tape}"], 2, ""),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: list[str], code: int, told: str, tape: Path, tmp_path: Path
) -> None:
    typed = [word.replace("{tape}", str(tape)) for word in words]
    found = CliRunner().invoke(app, ["backtest", "--home", str(tmp_path / "home"), *typed])
    if isinstance(found.exception, ConfigError):
        assert code == 78
        assert any(told in fault for fault in found.exception.faults)
        return
    assert found.exit_code == code, found.output
    assert told in found.output
    assert "Traceback" not in found.output


def test_several_files_may_stand_behind_one_data(tape: Path, tmp_path: Path) -> None:
    lines = tape.read_text().splitlines()
    early, late = tmp_path / "early.csv", tmp_path / "late.csv"
    early.write_text("\n".join(lines[:80]))
    late.write_text("\n".join(lines[80:]))
    whole, parts = (
        re.findall("digest .*", run(tmp_path, "--data", *map(str, files))[1])
        for files in ([tape], [late, early])
    )
    assert parts == whole != []


def test_a_report_that_cannot_be_written_leaves_nothing_half_and_the_figures_on_the_screen(
    tape: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    # Whoever may write at most a megabyte stands for a disk that is full.
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); "
        "from icryptotrader.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "backtest", "--home", str(tmp_path / "home"),
         "--pair", "BTC/EUR", "--data", str(tape), "--out", str(out)],
        capture_output=True, text=True, timeout=100, check=False,
        cwd=Path(__file__).resolve().parents[4],
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (1, "")
    assert "digest" in done.stdout
    assert "the report is not written" in done.stdout
    assert [path.name for path in out.iterdir()] == ["report.json"]


def test_terms_follow_the_options(tmp_path: Path) -> None:
    config = load(Home(tmp_path))
    terms = terms_of(Options((), fees="0.16/0.26", latency_ms=12.5, ahead="0.5"), config)
    assert (terms.maker, terms.taker, terms.ahead) == (1600, 2600, 50_000_000)
    assert terms.latency == 12.5 * MILLISECOND
    assert terms_of(Options((), fees="tier"), config).maker is None


def test_a_date_begins_at_midnight_utc() -> None:
    assert moment_of("1970-01-02", 0) == 86_400 * SECOND
    assert moment_of("1970-01-01T01:00:00+01:00", 5) == 0
    assert moment_of(None, 7) == 7
