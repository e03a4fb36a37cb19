"""`icryptotrader doctor`: what is in order, what is not, and what to do about each.

Rule 1: it changes nothing, places no order, and needs nothing to be running.
Rule 2: a check that cannot be made says why; it never counts as passed.
Rule 3: a check that breaks is a finding too: one fault never hides the other findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from icryptotrader.doctor.account import ACCOUNT_CHECKS
from icryptotrader.doctor.findings import Finding, Outcome, Patient, examine
from icryptotrader.doctor.house import HOUSE_CHECKS
from icryptotrader.doctor.machine import MACHINE_CHECKS
from shared.config import Home

Tell = Callable[[str], None]

SIGNS: Final = {
    Outcome.OK: "ok  ",
    Outcome.WARN: "WARN",
    Outcome.FAIL: "FAIL",
    Outcome.SKIP: "-   ",
}


def diagnose(home: Home, extra: Path | None = None, *, starting: bool = False) -> list[Finding]:
    """Every finding, in a fixed order. starting: asked by `run`, before it starts anything."""
    patient = examine(home, extra, starting=starting)
    found = []
    for name, check in (*MACHINE_CHECKS, *HOUSE_CHECKS, *ACCOUNT_CHECKS):
        found.append(_checked(name, check, patient))
    return found


def show(findings: list[Finding], *, json: bool, tell: Tell) -> int:
    """Print them; 0 where nothing failed, else 1."""
    failed = any(finding.outcome is Outcome.FAIL for finding in findings)
    if json:
        answer = {"ok": not failed, "findings": findings}
        tell(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return int(failed)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        tell(f"{SIGNS[finding.outcome]}  {finding.name:{width}}  {finding.text}")
        if finding.remedy:
            tell(f"      {'':{width}}  -> {finding.remedy}")
    counts = Counter(finding.outcome for finding in findings)
    tell("")
    tell(
        f"{counts[Outcome.OK]} in order, {counts[Outcome.WARN]} to look at, "
        f"{counts[Outcome.FAIL]} failed, {counts[Outcome.SKIP]} could not be checked"
    )
    return int(failed)


def _checked(name: str, check: Callable[[Patient], Finding], patient: Patient) -> Finding:
    try:
        found = check(patient)
    except Exception as error:  # noqa: BLE001 - Rule 3
        text = f"the check itself broke: {type(error).__name__}: {error}"
        return Finding(name, Outcome.FAIL, text, "report this; `icryptotrader support-bundle`")
    return msgspec.structs.replace(found, name=name)
