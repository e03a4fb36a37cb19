"""Every setting, every command and every frame is documented, and nothing else is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import typer

from icryptotrader.cli import app as front_door
from icryptotrader.foresight import app as foresight
from shared import wiredoc
from shared.config import Config
from shared.settings_house import Anchors, Settled
from strategy.core.regime import Kind
from strategy.core.risk import Pause
from strategy.ctl import app as ctl

ROOT: Final = Path(__file__).resolve().parents[2]
DEFAULTS: Final = (ROOT / "config" / "default.toml").read_text(encoding="utf-8")


def fields_of(kind: type[msgspec.Struct], at: str = "") -> Iterator[str]:
    """Dotted names of all settings the structs know; the anchors are no setting."""
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            if field.type not in (Anchors, Settled):
                yield from fields_of(field.type, f"{at}{field.name}.")
        else:
            yield f"{at}{field.name}"


def keys_of(table: dict[str, Any], at: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from keys_of(value, f"{at}{key}.")
        else:
            yield f"{at}{key}"


def commented() -> dict[str, bool]:
    """Each key of default.toml: is it explained beside it or above its group of lines?"""
    found: dict[str, bool] = {}
    section, explained = "", False
    for line in DEFAULTS.splitlines():
        if head := re.match(r"\[(.+)\]", line):
            section, explained = f"{head[1]}.", False
        elif line.startswith("#"):
            explained = True
        elif key := re.match(r"(\w+) *=", line):
            found[section + key[1]] = explained or "#" in line
    return found


def test_default_toml_and_the_structs_name_the_same_settings() -> None:
    assert sorted(keys_of(tomllib.loads(DEFAULTS))) == sorted(fields_of(Config))


def test_every_setting_is_explained() -> None:
    """Beside it, at the head of its section, or at the setting of that name in a sister section."""
    told = commented()
    dumb = [
        key
        for key, explained in told.items()
        if not explained
        and not any(
            other
            for name, other in told.items()
            if name.split(".")[-1] == key.split(".")[-1] and name.split(".")[0] == key.split(".")[0]
        )
    ]
    assert not dumb


def test_no_setting_is_explained_that_does_not_exist() -> None:
    """`section.key` in backticks, in any page."""
    known = {*fields_of(Config)}
    sections = {name.split(".")[0] for name in known if "." in name}
    for page in sorted((ROOT / "docs").glob("*.md")):
        for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", page.read_text(encoding="utf-8")):
            if name.split(".")[0] in sections and name.rpartition(".")[2] not in FILE_ENDINGS:
                assert name in known, f"{page.name} names {name}"


FILE_ENDINGS: Final = ("toml", "lock", "pub", "ctl", "py", "md", "sqlite", "jsonl")


def commands(app: typer.Typer) -> list[str]:
    return [
        info.name or (info.callback.__name__ if info.callback else "")
        for info in app.registered_commands
    ]


@pytest.mark.parametrize("name", commands(ctl))
def test_every_command_of_strategy_ctl_is_documented(name: str) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert re.search(rf"^### {name}( [A-Z]+)?$", page, re.MULTILINE), name


def test_no_command_of_strategy_ctl_is_documented_that_does_not_exist() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    told = page.partition("## strategy-ctl")[2]
    assert re.findall(r"^### ([a-z-]+)", told, re.MULTILINE) == commands(ctl)


@pytest.mark.parametrize(
    "app", [ctl, front_door, foresight], ids=["strategy-ctl", "icryptotrader", "foresight"]
)
def test_every_command_says_what_it_does(app: typer.Typer) -> None:
    for info in app.registered_commands:
        assert info.callback
        assert (info.callback.__doc__ or "").strip().endswith((".", "`."))


def test_the_wire_page_is_what_the_structs_say() -> None:
    page = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
    assert page == wiredoc.write(), "run: .venv/bin/python -m shared.wiredoc > docs/wire.md"


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("*.md")))
def test_no_page_names_a_file_that_is_not_there(page: Path) -> None:
    for name in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in name:
            assert (page.parent / name).exists(), f"{page.name} links to {name}"


def words_of(app: typer.Typer) -> Iterator[str]:
    """All commands of a program, a group's as `group command`."""

    def under(command: object, at: str) -> Iterator[str]:
        for name, inner in getattr(command, "commands", {}).items():
            yield f"{at}{name}"
            yield from under(inner, f"{at}{name} ")

    yield from under(typer.main.get_command(app), "")


def code_of(page: Path) -> Iterator[str]:
    """What stands in backticks or in a fenced block."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("name", sorted(words_of(front_door)))
def test_every_command_of_icryptotrader_is_documented(name: str) -> None:
    pages = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    asked = re.compile(rf"(^|icryptotrader( --home [~/\w]+)? ){name}( |$)")
    assert any(asked.search(code) for page in pages for code in code_of(page)), name


def test_no_command_is_documented_that_does_not_exist() -> None:
    known = {name.partition(" ")[0] for name in words_of(front_door)}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for code in code_of(page):
            found = re.match(r"(?:\S*/)?icryptotrader (?:--home \S+ )?([a-z][a-z-]+)", code)
            assert not found or found[1] in known, f"{page.name}: {code}"
            found = re.match(r"(?:\S*/)?strategy-ctl (?:--home \S+ )?([a-z][a-z-]+)", code)
            assert not found or found[1] in commands(ctl), f"{page.name}: {code}"


def test_every_setting_stands_on_its_page() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    for name in fields_of(Config):
        assert f"`{name.rpartition('.')[2]}`" in page, name


def test_the_pictures_are_few_small_and_looked_at() -> None:
    door = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = sorted((ROOT / "docs" / "img").glob("*"))
    assert [path.name for path in pictures] == ["dashboard.png", "lots.png", "phone.png"]
    for path in pictures:
        assert f"docs/img/{path.name}" in door
        assert path.stat().st_size < 150_000


def test_the_states_and_regimes_a_person_sees_are_in_the_glossary() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for word in (*Pause, *Kind):
        assert f"`{word}`" in page, word
