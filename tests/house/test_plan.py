"""The plan of the house as tests: who imports whom, who may touch the world, what is too long.

Where one of these fails, either the change is in the wrong place, or the plan is changed on
purpose: then change the table here and say why in the commit.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("shared", "feed", "strategy", "monitor", "sim", "icryptotrader")

MAY_IMPORT: Final = {
    "shared": {"shared"},
    "feed": {"feed", "shared"},
    "strategy": {"strategy", "shared"},
    "monitor": {"monitor", "shared"},
    "sim": {"sim", "shared", "feed", "strategy"},
    "icryptotrader": set(PACKAGES),
}
"""A house: the ground, three rooms that do not know each other, the simulation, the roof."""

LEDGER_FOR_CORE: Final = {
    "strategy.ledger.desk",  # the tax book as the gate asks it
    "strategy.ledger.entries",
    "strategy.ledger.events",
    "strategy.ledger.parts",
    "strategy.ledger.plans",
    "strategy.ledger.room",
    "strategy.ledger.lots",
    "strategy.ledger.rates",  # a file that was handed over is checked where it is heard
    "strategy.ledger.tax",
    "strategy.ledger.trade",
    "strategy.ledger.withdrawn",  # what the exchange's ledger says of a withdrawal is booked
    "strategy.ledger.year",  # what the dashboard shows of the Freigrenze
}

WORLD: Final = {
    "time": {"shared/clock.py"},
    # The jitter of a reconnect is drawn where the line is, and handed in as a value.
    "random": {"feed/shell.py", "strategy/shell.py", "sim/lab/faults.py"},
    "uuid": set[str](),
    "zmq": {"shared/bus.py"},
    "sqlite3": {
        "strategy/ledger/evidence.py",
        "strategy/ledger/records.py",
        "strategy/ledger/rows.py",
        "strategy/ledger/store.py",
        "sim/engine/store.py",
    },
    "subprocess": {"icryptotrader/run.py", "icryptotrader/errand.py"},
    "threading": {"shared/log.py"},
    "socket": {
        "shared/account_lock.py",
        "shared/bus.py",
        "monitor/shell.py",
        "sim/server.py",
        "icryptotrader/startup.py",
    },
    "asyncio": {
        "shared/bus.py",
        "shared/drive.py",
        "shared/lines.py",
        "feed/shell.py",
        "strategy/shell.py",
        "monitor/shell.py",
        "monitor/control.py",
        "monitor/door.py",
        "monitor/rates.py",
        "monitor/telegram.py",
        "monitor/advisor/advisor.py",
        "sim/server.py",
        "sim/paper.py",
        "icryptotrader/record.py",
        "icryptotrader/ledger_fetch.py",
        "icryptotrader/replay.py",
    },
    "os.environ": {"shared/config.py", "shared/process.py"},
}
"""What of the world each file may touch; nobody else."""

EXACT: Final = (
    "strategy/ledger/",
    "strategy/session",
    "strategy/core/taxgate.py",
    "sim/engine/account.py",
)
"""Where money is booked: no float is made of it."""

LONGEST_FILE: Final = 450
LONGEST_FUNCTION: Final = 60


def files(*under: str) -> list[str]:
    """Paths of the product's sources from the root, sorted."""
    folders = under or PACKAGES
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


@cache
def imports(path: str) -> frozenset[str]:
    """Full names of everything a file imports: `from a.b import c` gives a.b and a.b.c."""
    found: list[str] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            assert node.module
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return frozenset(found)


def ours(path: str) -> list[str]:
    return sorted(name for name in imports(path) if name.partition(".")[0] in PACKAGES)


def module_path(name: str) -> str | None:
    """`shared.units` -> `shared/units.py`; None for a name inside a module."""
    path = f"{name.replace('.', '/')}.py"
    return path if (ROOT / path).exists() else None


@pytest.mark.parametrize("path", files())
def test_no_arrow_points_upward_or_sideways(path: str) -> None:
    package = path.partition("/")[0]
    strangers = [name for name in ours(path) if name.partition(".")[0] not in MAY_IMPORT[package]]
    assert not strangers, f"{path} may not import {strangers}"


@pytest.mark.parametrize("path", files("strategy/core"))
def test_the_core_is_silent_and_knows_no_shell(path: str) -> None:
    for name in ours(path):
        target = module_path(name)
        if target is None or target == "shared/config.py":
            continue
        assert target not in named_files(), f"{path} imports {target}, which touches the world"
        if name.startswith("strategy.") and not name.startswith("strategy.core"):
            assert name in LEDGER_FOR_CORE, f"{path} may not import {name}"


@pytest.mark.parametrize("path", files("strategy/core", "strategy/ledger"))
def test_what_is_silent_takes_settings_as_values(path: str) -> None:
    for name in ours(path):
        if name.startswith("shared.config."):
            assert name.rpartition(".")[2].istitle(), f"{path} may not import {name}"


@pytest.mark.parametrize("path", files("strategy/ledger"))
def test_the_ledger_stands_on_values_alone(path: str) -> None:
    for name in ours(path):
        if name.startswith("strategy."):
            assert name.startswith("strategy.ledger"), f"{path} may not import {name}"
        elif target := module_path(name):
            assert target not in named_files() - {"shared/process.py"}, f"{path}: {target}"


@pytest.mark.parametrize("path", files())
def test_only_named_files_touch_the_world(path: str) -> None:
    for name in touches(path):
        assert path in WORLD[name], f"{path} may not use {name}"


@pytest.mark.parametrize("path", sorted(set().union(*WORLD.values())))
def test_no_permission_outlives_its_reason(path: str) -> None:
    if (ROOT / path).exists():
        granted = [name for name, those in WORLD.items() if path in those]
        assert set(granted) <= touches(path), f"{path} does not need all of {granted}"


def test_the_linter_knows_the_same_files() -> None:
    for path in named_files():
        assert (ROOT / path).exists(), f"pyproject.toml names {path}, which is not there"
        assert touches(path), f"pyproject.toml excuses {path}, which needs no excuse"


@pytest.mark.parametrize("path", files())
def test_every_file_opens_with_what_it_is_for(path: str) -> None:
    if (ROOT / path).read_text(encoding="utf-8").strip():
        said = ast.get_docstring(tree(path))
        assert said, f"{path} has no docstring"


@pytest.mark.parametrize("path", files())
def test_nothing_is_too_long_to_read(path: str) -> None:
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{path} has {lines} lines"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", files("strategy/core", "strategy/ledger"))
def test_no_set_is_iterated_where_order_decides(path: str) -> None:
    for node in ast.walk(tree(path)):
        loops: list[ast.expr] = []
        if isinstance(node, ast.For):
            loops.append(node.iter)
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
            loops += [part.iter for part in node.generators]
        for looped in loops:
            assert not is_set(looped, path), f"{path}:{looped.lineno} iterates a set"


@pytest.mark.parametrize("path", [p for p in files() if p.startswith(EXACT)])
def test_booked_money_is_never_made_a_float(path: str) -> None:
    for call in calls(path, "float"):
        pytest.fail(f"{path}:{call.lineno} makes a float")


@pytest.mark.parametrize("path", files())
def test_nobody_prints(path: str) -> None:
    for call in calls(path, "print"):
        pytest.fail(f"{path}:{call.lineno} prints")


@cache
def touches(path: str) -> frozenset[str]:
    """Which parts of the world a file uses."""
    found = [name for name in WORLD if name in imports(path)]
    found += [name for name in WORLD if any(i.startswith(f"{name}.") for i in imports(path))]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ":
            found.append("os.environ")
    return frozenset(found)


@cache
def named_files() -> frozenset[str]:
    """The files that pyproject.toml excuses from silence."""
    raw = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    excused = raw["tool"]["ruff"]["lint"]["per-file-ignores"]
    return frozenset(
        path for path, rules in excused.items() if "TID251" in rules and "*" not in path
    )


def calls(path: str, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def is_set(looped: ast.expr, path: str) -> bool:
    """A set display, set(...), frozenset(...), or a name that is given one in this file."""
    if isinstance(looped, ast.Set | ast.SetComp):
        return True
    if isinstance(looped, ast.Call) and isinstance(looped.func, ast.Name):
        return looped.func.id in ("set", "frozenset")
    if not isinstance(looped, ast.Name | ast.Attribute):
        return False
    name = ast.unparse(looped)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Assign) and name in [ast.unparse(t) for t in node.targets]:
            given: ast.expr | None = node.value
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            given = node.value
            if ast.unparse(node.annotation).startswith(("set[", "frozenset[")):
                return True
        else:
            continue
        if given is not None and not isinstance(given, ast.Name) and is_set(given, path):
            return True
    return False
