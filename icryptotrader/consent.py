"""What must be said and be in order before real money is traded.

Rule 1: three consents, each given in another place: mode and live.consent in the configuration,
--live on the command line, and the key's fingerprint, typed.
Rule 2: nothing starts while the doctor finds one thing that fails.
"""

from __future__ import annotations

from typing import Final

from icryptotrader.doctor.command import diagnose
from icryptotrader.doctor.findings import Outcome
from icryptotrader.startup import NotReadyError, Options
from shared import account_lock
from shared.config import EXIT_CONFIG, Config, ConfigError, Home, account_key
from shared.secret import fingerprint

NOT_WELL: Final = 1
"""The exit code where the doctor finds a fault: it may mend itself, as a network does."""


def permit(home: Home, config: Config, options: Options) -> str:
    """The fingerprint of the key that may trade in this run; NotReadyError with all faults."""
    faults = []
    if not options.live:
        faults.append("--live: missing; real money is traded only by `icryptotrader run --live`")
    mark = ""
    try:
        key = account_key(home, config)
        mark = fingerprint(key)
        if (pid := account_lock.holder(key)) is not None:
            faults.append(str(account_lock.AccountTaken(pid)))
    except ConfigError as error:
        faults += error.faults
    typed = (options.fingerprint or "").strip().lower().replace("-", "")
    if not typed:
        faults.append("--fingerprint: missing; type the key's, which `icryptotrader doctor` shows")
    elif mark and typed != mark.replace("-", ""):
        faults.append(f"--fingerprint: {options.fingerprint} is not that of the configured key")
    if faults:
        raise NotReadyError(faults, EXIT_CONFIG)
    found = [f for f in diagnose(home, starting=True) if f.outcome is Outcome.FAIL]
    if found:
        told = [f"doctor: {f.name}: {f.text} -> {f.remedy}" for f in found]
        raise NotReadyError(told, NOT_WELL)
    return mark
