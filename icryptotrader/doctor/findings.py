"""What the doctor looks at, and what a look at it finds."""

from __future__ import annotations

import enum
from typing import Any, Final

from msgspec import Struct

from shared.bus import BusError, ControlClient
from shared.clock import machine_wall
from shared.config import Config, ConfigError, Home, Loaded, load_all
from shared.control import CONTROL_VERSION, AskStatus, decode_reply, encode_request
from shared.process import holder

PROGRAMS: Final = ("exchange", "feed", "strategy", "monitor")


class Outcome(enum.StrEnum):
    OK = "ok"
    WARN = "warn"  # to be looked at; trading may go on
    FAIL = "fail"
    SKIP = "skip"  # could not be checked; the text says why


class Finding(Struct, frozen=True):
    """One check. remedy: what to do, as a sentence or a command; "" where nothing is to be done."""

    name: str
    outcome: Outcome
    text: str
    remedy: str = ""


class Patient(Struct, frozen=True):
    """What every check may look at. loaded: None where the configuration has faults."""

    home: Home
    loaded: Loaded | None
    faults: tuple[str, ...]
    status: dict[str, Any] | None  # the running strategy's own word, None where it does not run
    running: bool

    @property
    def config(self) -> Config:
        """Only for checks that `needs_config` let through."""
        assert self.loaded is not None
        return self.loaded.config


def examine(home: Home) -> Patient:
    """Read the configuration and ask the strategy, once for all checks."""
    loaded: Loaded | None = None
    faults: tuple[str, ...] = ()
    try:
        loaded = load_all(home)
    except ConfigError as error:
        faults = tuple(error.faults)
    running = bool(holder(home.run / "strategy.lock"))
    return Patient(home, loaded, faults, _ask(home) if running else None, running)


def ok(text: str) -> Finding:
    return Finding("", Outcome.OK, text)


def warn(text: str, remedy: str) -> Finding:
    return Finding("", Outcome.WARN, text, remedy)


def fail(text: str, remedy: str) -> Finding:
    return Finding("", Outcome.FAIL, text, remedy)


def skip(text: str) -> Finding:
    return Finding("", Outcome.SKIP, text)


def _ask(home: Home) -> dict[str, Any] | None:
    request = AskStatus(CONTROL_VERSION, f"doctor{machine_wall()}")
    try:
        reply = decode_reply(ControlClient(home.run / "strategy.ctl").ask(encode_request(request)))
    except (BusError, OSError):
        return None
    return dict(reply.data) if reply is not None and reply.ok else None
