"""`bot-kill`: cancel every order of the account and raise the halt flag; needs nothing else alive.

Rule 1: the flag first, so that a strategy that runs adds nothing more; then REST CancelAll, again
until the exchange says that nothing was left to cancel.
Rule 2: it has a key of its own that may cancel and nothing else (kraken.cancel_key_file). It is
used before it is looked at: what is wrong with it is told when the orders are gone.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import httpx

from shared import haltflag
from shared.clock import Clock
from shared.config import (
    EXIT_CONFIG,
    Config,
    ConfigError,
    Home,
    find_home,
    load_despite_faults,
    read_key,
)
from shared.endpoints import endpoints
from shared.keys import KILL_KEY, demo_key
from shared.kraken import rest
from shared.kraken.answers import Failure, answer, parse_count, parse_key_info
from shared.kraken.rest import Call, Signer, make_signer, request_of
from shared.kraken.rights import beyond_cancelling

KILLED, NOT_CONFIRMED = 0, 1

TRIES: Final = 8
PAUSE_S: Final = 0.5
TIMEOUT_S: Final = 5.0
NONCE_STEP_US: Final = 3_600 * 1_000_000

USELESS: Final = ("EAPI:Invalid key", "EAPI:Invalid signature", "EGeneral:Permission denied")
"""To ask again with this key changes nothing."""

NEXT: Final = (
    "a strategy that runs sees the flag within a second and cancels everything itself; one that "
    "does not run armed the dead man's switch, which does. Look at the exchange, then call again"
)

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: halted and nothing rests; 1: halted, not confirmed; 2: usage; 78: config or key."""
    parser = argparse.ArgumentParser(
        prog="bot-kill",
        description="Cancel every order of the account (foreign ones too) by REST and raise the "
        "halt flag. Needs no other process.",
        epilog="Exit codes: 0 halted and nothing rests, 1 halted but the cancelling is not "
        "confirmed, 2 usage, 78 the configuration or the key cannot be used. The strategy resumes "
        "only by: strategy-ctl resume REASON",
    )
    parser.add_argument("reason", nargs="?", default="by hand", help="kept in the audit trail")
    parser.add_argument("--home", help="folder of the installation's state")
    parser.add_argument("--config", type=Path, help="a further layer over config/default.toml")
    given = parser.parse_args(arguments)
    home = find_home(given.home)
    raised = _raise_flag(home, given.reason)
    try:
        config, faults = load_despite_faults(home, given.config)
        for fault in faults:
            _say(f"a fault of the configuration, of no matter here: {fault}")
        signer = _signer(config, home)
    except ConfigError as error:
        _say(f"NO order was cancelled, the key cannot be used: {'; '.join(error.faults)}")
        _say(NEXT)
        return EXIT_CONFIG
    timeout = httpx.Timeout(TIMEOUT_S)
    with httpx.Client(base_url=endpoints(config).rest, timeout=timeout, trust_env=False) as http:
        desk = _Desk(http, signer, config.make_clock())
        why = _cancel(desk)
        if why:
            _say(NEXT)
        else:
            _look_at_the_key(desk, config)
    if why in USELESS:
        return EXIT_CONFIG
    return NOT_CONFIRMED if why or not raised else KILLED


def _raise_flag(home: Home, reason: str) -> bool:
    try:
        if not home.data.is_dir():
            home.make()
        haltflag.raise_flag(home.data, reason)
    except OSError as error:
        _say(f"the halt flag could NOT be raised in {home.data}: {error.strerror}")
        return False
    _say(f"the halt flag is up: {home.data / haltflag.NAME}")
    return True


def _signer(config: Config, home: Home) -> Signer:
    path = Path(config.kraken.cancel_key_file).expanduser()
    if config.mode == "live" and not config.kraken.cancel_key_file:
        raise ConfigError(
            [
                "kraken.cancel_key_file is not set: make a key at the exchange that may do "
                "Cancel & Close Orders alone, and name its file there"
            ]
        )
    key = read_key(path) if config.mode == "live" else demo_key(home.data, KILL_KEY)
    try:
        return make_signer(key.key, key.secret)
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None


class _Desk:
    """One question after the other, each with a nonce above the last."""

    def __init__(self, http: httpx.Client, signer: Signer, clock: Clock) -> None:
        self._http = http
        self._signer = signer
        self._clock = clock
        self._nonce = 0
        self._crossed = 0

    def ask(self, call: Call, parse: Callable[[bytes], T]) -> T | str:
        """The answer, or why it is not known: the exchange's own words where it has some."""
        # Where somebody else uses this key, its nonces may be ahead of our clock.
        ahead = NONCE_STEP_US if self._crossed > 2 else 0
        self._nonce = max(self._nonce + 1, self._clock.wall() // 1_000 + ahead)
        request = request_of(call, self._signer, self._nonce)
        try:
            found = self._http.request(
                request.method, request.path, content=request.body, headers=dict(request.headers)
            )
        except httpx.HTTPError as error:
            return f"the exchange cannot be reached ({type(error).__name__})"
        said = answer(found.status_code, found.content, parse)
        if not isinstance(said, Failure):
            return said
        self._crossed += "Invalid nonce" in said.error
        return said.error


def _cancel(desk: _Desk) -> str:
    """CancelAll until it finds nothing: an order that was on its way is met by the second one.

    "" where two in a row found nothing, else why that is not so.
    """
    total, quiet, why = 0, 0, ""
    for number in range(TRIES):
        if number:
            signal.sigtimedwait((), PAUSE_S)
        count = desk.ask(rest.CANCEL_ALL, parse_count)
        if isinstance(count, int):
            total, quiet = total + count, quiet + 1 if count == 0 else 0
            why = "" if quiet else "orders kept coming"
            if quiet == 2:
                _say(f"{total} orders cancelled; nothing rests in the account")
                return ""
        else:
            if count != why:
                _say(f"not yet: {count}")
            quiet, why = 0, count
            if why in USELESS:
                break
    why = why or "asked once only"
    _say(f"{total} orders cancelled, NOT confirmed that nothing rests: {why}")
    if why in USELESS:
        _say("the exchange does not take this key (live: kraken.cancel_key_file): make a new one")
    return why


def _look_at_the_key(desk: _Desk, config: Config) -> None:
    """Say what is wrong with the key, now that it has done its work."""
    found = desk.ask(rest.KEY_INFO, parse_key_info)
    if not isinstance(found, str) and (more := beyond_cancelling(found.permissions)):
        _say(
            f"WARNING: the key {config.kraken.cancel_key_file} may do more than cancel "
            f"({', '.join(more)}): make one at the exchange with Cancel & Close Orders alone"
        )


def _say(text: str) -> None:
    sys.stdout.write(f"bot-kill: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
