"""Files that cannot be read, through the commands that read history: the place and the remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NO_FILE = "No such file or directory: look at the name"
FOLDER = "Is a directory: name the files in it"
KNOT = "it leads back to itself: name the file"
BACKTEST = ("backtest", "--data", "{file}")
RATES = ("backtest", "--data", "bars.csv", "--rates", "{file}")
SETTINGS = ("backtest", "--data", "bars.csv", "--config", "{file}")
SWEEP = ("sweep", "--data", "{file}", "--space", "space.toml")
SPACE = ("sweep", "--data", "bars.csv", "--space", "{file}")
PARITY = ("parity", "--capture", "{file}", "--journal", "a.journal")
REPLAY = ("replay", "{file}")
RUN = ("run", "--market", "{file}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bars = "".join(f"{1_600_000_020 + n * 60},30000,30010,29990,30000,1\n" for n in range(9))
    (tmp_path / "bars.csv").write_text(bars)
    (tmp_path / "space.toml").write_text('"grid.levels" = [3, 5]\n')
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)) * 9)
    (tmp_path / "folder").mkdir()
    (tmp_path / "knot").symlink_to("knot")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "file", "why"),
    [
        (BACKTEST, "missing", f"{NO_FILE}, it was looked for at "),
        (BACKTEST, "folder", FOLDER),
        (BACKTEST, "knot", KNOT),
        (BACKTEST, "empty", "the file is empty: fetch it again"),
        (BACKTEST, "binary", "a CSV (also packed), Parquet or a recording is meant"),
        (RATES, "missing", NO_FILE),
        (RATES, "empty", "the ECB's eurofxref-hist.zip or .csv is meant"),
        (SETTINGS, "missing", NO_FILE),
        (SETTINGS, "folder", FOLDER),
        (SETTINGS, "binary", "not a text in UTF-8, let alone TOML"),
        (SWEEP, "missing", NO_FILE),
        (SPACE, "missing", NO_FILE),
        (SPACE, "empty", "names no setting: a line for each, such as"),
        (SPACE, "binary", "not a text in UTF-8, let alone TOML"),
        (PARITY, "missing", NO_FILE),
        (PARITY, "empty", "not a recording of iCryptoTrader (`icryptotrader record -o FILE`"),
        (REPLAY, "missing", NO_FILE),
        (REPLAY, "folder", FOLDER),
        (REPLAY, "binary", "`icryptotrader record -o FILE` writes one"),
        (REPLAY, "missing.journal", NO_FILE),
        (RUN, "missing", "no such file: "),
        (RUN, "folder", FOLDER),
        (RUN, "knot", "no such file: "),
        (RUN, "empty", "the file is empty: fetch it again"),
    ],
)
def test_one_line_names_the_file_and_the_remedy(
    folder: Path, command: tuple[str, ...], file: str, why: str
) -> None:
    asked = [part.format(file=file) for part in command]
    done = subprocess.run(
        [sys.executable, "-m", "icryptotrader", *asked, "--home", str(folder / "home")],
        capture_output=True, text=True, timeout=100, check=False, cwd=folder,
    )  # fmt: skip
    (line,) = (done.stdout + done.stderr).splitlines()
    assert file in line
    assert why in line
    assert done.returncode in (2, 78)
