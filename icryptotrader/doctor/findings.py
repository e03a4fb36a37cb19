"""What the doctor looks at, and what a look at it finds."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from icryptotrader.doctor.asking import Account, asker_of, look
from shared.bus import BusError, ControlClient
from shared.clock import machine_wall
from shared.config import ApiKey, Config, ConfigError, Home, Loaded, account_key, load_all
from shared.control import CONTROL_VERSION, AskStatus, decode_reply, encode_request
from shared.kraken import rights
from shared.kraken.answers import Failure, KeyInfo, parse_key_info
from shared.kraken.rest import KEY_INFO
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
    starting: bool = False  # asked by `run` itself, which has not started anything yet
    key: ApiKey | None = None  # of the real account, asked for only while no strategy runs
    key_fault: str = ""  # why there is none that can be used
    info: KeyInfo | Failure | None = None
    account: Account | Failure | None = None

    @property
    def config(self) -> Config:
        """Only for checks that `needs_config` let through."""
        assert self.loaded is not None
        return self.loaded.config

    @property
    def told(self) -> dict[str, Any] | None:
        """What is known of the account: by the running strategy, else by the exchange itself."""
        if self.status is not None:
            return self.status
        return self.account.told if isinstance(self.account, Account) else None


def examine(home: Home, extra: Path | None = None, *, starting: bool = False) -> Patient:
    """Read the configuration; ask the strategy, or the exchange, once for all checks."""
    loaded: Loaded | None = None
    faults: tuple[str, ...] = ()
    try:
        loaded = load_all(home, extra)
    except ConfigError as error:
        faults = tuple(error.faults)
    running = bool(holder(home.run / "strategy.lock"))
    found = Patient(home, loaded, faults, _ask(home) if running else None, running, starting)
    if loaded is None or running or loaded.config.mode != "live":
        return found
    return _ask_exchange(found)


def _ask_exchange(patient: Patient) -> Patient:
    """With the key of a real account, while no strategy uses it: two programs share no nonce."""
    try:
        key = account_key(patient.home, patient.config)
        asker = asker_of(patient.home, patient.config, key)
    except (ConfigError, ValueError) as error:
        return replace(patient, key_fault=str(error))
    info = asker.ask(KEY_INFO, parse_key_info)
    account: Account | Failure | None = None
    if isinstance(info, KeyInfo) and not rights.missing(info.permissions):
        account = look(asker, patient.config.pair)
    return replace(patient, key=key, info=info, account=account)


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
