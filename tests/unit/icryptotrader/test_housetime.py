"""House time across runs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from icryptotrader.housetime import (
    LONGEST_AFTERLIFE,
    HouseTimeError,
    Moment,
    earliest_wall,
    load,
    save,
)
from shared.units import SECOND

NOW = 1_800_000_000 * SECOND
BOOT = 5_000 * SECOND

moments = some.builds(
    Moment,
    wall=some.integers(1, 2 * NOW),
    boot=some.integers(0, BOOT),
    boot_id=some.sampled_from(["this", "an earlier one"]),
    speed=some.integers(1, 20),
    closed=some.booleans(),
)


def test_the_first_run_begins_with_the_machine() -> None:
    assert earliest_wall(None, NOW, BOOT, "this") == NOW


def test_a_run_after_an_orderly_fast_one_goes_on_where_that_ended() -> None:
    last = Moment(NOW + 3600 * SECOND, BOOT - SECOND, "this", 20, True)
    assert earliest_wall(last, NOW, BOOT, "this") == NOW + 3601 * SECOND


def test_a_slow_run_long_ago_does_not_matter() -> None:
    last = Moment(NOW - 3600 * SECOND, BOOT, "an earlier one", 1, False)
    assert earliest_wall(last, NOW, BOOT, "this") == NOW


def test_after_a_kill_the_programs_may_have_lived_on_at_their_speed() -> None:
    last = Moment(NOW, BOOT - 10 * SECOND, "this", 20, False)
    assert earliest_wall(last, NOW, BOOT, "this") == NOW + 201 * SECOND


def test_after_a_power_cut_the_longest_afterlife_is_assumed() -> None:
    last = Moment(NOW, BOOT, "an earlier one", 20, False)
    assert earliest_wall(last, NOW, BOOT, "this") == NOW + 20 * LONGEST_AFTERLIFE + SECOND


@given(moments)
def test_time_never_runs_back(last: Moment) -> None:
    wall = earliest_wall(last, NOW, BOOT, "this")
    assert wall >= NOW
    assert wall > last.wall


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    moment = Moment(NOW, BOOT, "this", 7, False)
    save(tmp_path / "clock.toml", moment)
    assert load(tmp_path / "clock.toml") == moment
    assert [path.name for path in tmp_path.iterdir()] == ["clock.toml"]


def test_no_note_is_a_first_run(tmp_path: Path) -> None:
    assert load(tmp_path / "clock.toml") is None


@pytest.mark.parametrize("text", ["", "wall = 'x'", "wall = 1\n[", "\x00"])
def test_a_damaged_note_is_said_and_not_guessed(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock.toml").write_text(text)
    with pytest.raises(HouseTimeError, match="--fresh"):
        load(tmp_path / "clock.toml")


def test_a_note_is_no_program(tmp_path: Path) -> None:
    save(tmp_path / "clock.toml", Moment(NOW, BOOT, "this", 1, True))
    assert not stat.S_IMODE((tmp_path / "clock.toml").stat().st_mode) & 0o111
