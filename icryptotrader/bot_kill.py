"""`bot-kill`: cancel every order of the account and raise the halt flag; needs nothing else alive.

Rule 1: the flag first, so that a strategy that runs adds nothing more; then REST CancelAll, again
until the exchange says that nothing was left to cancel.
Rule 2: it has a key of its own that may cancel and nothing else (kraken.cancel_key_file).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from shared import haltflag
from shared.config import EXIT_CONFIG, Config, ConfigError, Home, find_home, load, read_key
from shared.endpoints import endpoints
from shared.keys import GUEST_KEY, demo_key
from shared.kraken import rest
from shared.kraken.answers import Failure, answer, parse_count
from shared.kraken.rest import Signer, make_signer, request_of

KILLED, NOT_CONFIRMED = 0, 1

TRIES: Final = 8
PAUSE_S: Final = 0.5
TIMEOUT_S: Final = 5.0
NONCE_STEP_US: Final = 3_600 * 1_000_000


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
        config = load(home, given.config)
        signer = _signer(config, home)
    except ConfigError as error:
        _say(f"NO order was cancelled, the key cannot be used: {'; '.join(error.faults)}")
        return EXIT_CONFIG
    cancelled = _cancel(config, signer)
    return KILLED if cancelled and raised else NOT_CONFIRMED


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
    path = Path(config.kraken.cancel_key_file)
    # On paper the guests' key: a nonce must rise, and the strategy uses its own at any moment.
    key = read_key(path) if config.mode == "live" else demo_key(home.data, GUEST_KEY)
    try:
        return make_signer(key.key, key.secret)
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None


def _cancel(config: Config, signer: Signer) -> bool:
    """CancelAll until it finds nothing: an order that was on its way is met by the second one."""
    url = endpoints(config).rest
    clock = config.make_clock()
    nonce, crossed, total, quiet, why = 0, 0, 0, 0, ""
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as http:
        for number in range(TRIES):
            if number:
                signal.sigtimedwait((), PAUSE_S)
            # Where the key is shared (demo), its nonces may be ahead of our clock.
            ahead = NONCE_STEP_US if crossed > 2 else 0
            nonce = max(nonce + 1, clock.wall() // 1_000 + ahead)
            count = _cancel_once(http, signer, nonce)
            if isinstance(count, int):
                total, quiet = total + count, quiet + 1 if count == 0 else 0
                why = "" if quiet else "orders kept coming"
                if quiet == 2:
                    break
            else:
                quiet, why = 0, count
                crossed += "Invalid nonce" in why
    if quiet == 2:
        _say(f"{total} orders cancelled; nothing rests in the account")
        return True
    _say(f"{total} orders cancelled, NOT confirmed that nothing rests: {why or 'asked once only'}")
    return False


def _cancel_once(http: httpx.Client, signer: Signer, nonce: int) -> int | str:
    """How many orders were cancelled, or why it is not known."""
    request = request_of(rest.CANCEL_ALL, signer, nonce)
    try:
        found = http.request(
            request.method, request.path, content=request.body, headers=dict(request.headers)
        )
    except httpx.HTTPError as error:
        return f"the exchange cannot be reached ({type(error).__name__})"
    count = answer(found.status_code, found.content, parse_count)
    return count.error if isinstance(count, Failure) else count


def _say(text: str) -> None:
    sys.stdout.write(f"bot-kill: {text}\n")
    sys.stdout.flush()


def script() -> None:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    script()
