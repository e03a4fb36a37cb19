"""Every setting refuses what it is not: all faults at once, each with its line and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config import ConfigError, Home, load
from tests.keys.test_every_key import KEYS
from tests.keys.trying import toml_of, write


def faults(folder: Path, text: str) -> dict[int, str]:
    """Line -> what is wrong there; each has a line of its own."""
    home = Home(folder)
    home.make()
    path = home.path / "user.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as told:
        load(home)
    found = {}
    for fault in told.value.faults:
        place, _, rest = fault.removeprefix(f"{path}:").partition(": ")
        assert int(place) not in found, fault
        found[int(place)] = rest
    return found


def lines(text: str) -> dict[str, int]:
    """Dotted key -> its line, of what `toml_of` writes."""
    found, section = {}, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif "=" in line:
            found[section + line.partition(" =")[0]] = number
    return found


def test_a_wrong_value_of_each_is_named_with_its_line_and_what_it_must_be(tmp_path: Path) -> None:
    text = toml_of({key: [[True]] for key in KEYS})
    told = faults(tmp_path, text)
    for key, line in lines(text).items():
        assert told[line].startswith(f"{key}: must be "), told[line]
    assert len(told) == len(KEYS)


def test_a_mistyped_name_of_each_is_named_with_its_line_and_the_right_one(tmp_path: Path) -> None:
    text = toml_of({f"{key[:-1]}q": 1 for key in KEYS})
    told = faults(tmp_path, text)
    unheard = [
        key
        for key, line in lines(text).items()
        if not told[line].startswith(f'unknown key "{key}"; did you mean "')
    ]
    # So short a name has no near one.
    assert unheard in ([], ["demo.seeq"]), unheard


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        # Found where the other side of a relation was changed.
        ("limits.order_quote", "400", "grid.order_size_quote: larger than limits.order_quote"),
        ("regime.adaptive.chaos_max_pct", 1.0, "regime.adaptive.chaos_min_pct: must be at most"),
        ("web.password", "twelve letters", "web.username: is needed where a password is given"),
        ("risk.emergency_drawdown_pct", 0.1, "max_portfolio_drawdown_pct must be below"),
        ("time.ack_sec", 2, "time: deadline_sec must be below ack_sec"),
        ("hedge.trigger_drawdown_pct", 1.5, "must be a number <= 1.0"),
        # Beyond what can be meant.
        ("grid.min_spacing_bps", "1e9", "must be from 0 to 10000"),
        ("demo.taker_pct", "50", "must be from 0 to 10"),
        ("demo.opening_lots", ["old"], 'as "400:6000", found "old"'),
        ("time.tick_sec", 0.000001, "must be a number >= 0.05"),
        # A shape in words, not as an engineer writes it.
        ("metrics.prefix", "My Bot", "lower-case letters, digits and _"),
        ("telegram.api_url", "http://elsewhere", "begins with https://"),
        ("telegram.chat_id", "@me", 'a number in quotes, as "42"'),
        ("ai_signal.model", "a model", "the name of a model"),
        ("grid.base_reserve", "much", 'must be a number in quotes, as "20"'),
    ],
)
def test_a_fault_is_clear_and_stands_at_the_changed_line(
    tmp_path: Path, key: str, value: object, word: str
) -> None:
    text = toml_of({key: value})
    assert word in faults(tmp_path, text)[lines(text)[key]]


def test_what_this_file_tries_with_is_right_otherwise(tmp_path: Path) -> None:
    assert load(write(Home(tmp_path), {"grid.levels": 3})).grid.levels == 3
