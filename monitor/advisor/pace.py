"""When a model may be asked again: cooldown, circuit breaker, budget of the day.

Rule 1: a fault never makes us ask more often. `ai_signal.breaker_failures` faults in a row, or one
that another try cannot mend (a refused key, an unknown model), open the breaker: after
`ai_signal.breaker_pause_sec` one question tries again.
Rule 2: what was spent outlives a restart (data/advisor.json), so that a monitor that starts anew
again and again keeps to cooldown and budget.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from monitor.advisor.providers import Said
from shared.settings import AiSignal
from shared.units import SECOND, Ns

MILLION: Final = Decimal(1_000_000)
LONGEST_WAIT_S: Final = 86_400.0


class Fault(Struct, frozen=True):
    """Why there was no opinion. lasting: another try mends nothing; wait_s: asked for (429)."""

    kind: str
    text: str
    lasting: bool = False
    wait_s: float = 0.0


class Pace(Struct, frozen=True):
    """not_before: of the next question, in the machine's boot time. failures: in a row."""

    not_before: Ns = Ns(0)
    failures: int = 0
    open: bool = False


class Usage(Struct, frozen=True):
    """What was asked and spent, over all lives. Money in USD; asked_wall: the machine's."""

    asked_wall: Ns = Ns(0)
    questions: int = 0
    opinions: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: Decimal = Decimal(0)
    day: str = ""  # UTC
    day_usd: Decimal = Decimal(0)


def begin(usage: Usage, now: Ns, wall: Ns, cfg: AiSignal) -> Pace:
    """The pace of a new life: the cooldown of the last one's question still holds."""
    cooldown = int(cfg.cooldown_sec * SECOND)
    # A clock that was set back must not silence us for longer than the cooldown.
    left = min(max(usage.asked_wall + cooldown - wall, 0), cooldown)
    return Pace(Ns(now + left))


def answered(now: Ns, cfg: AiSignal) -> Pace:
    """After an opinion: the breaker is closed."""
    return Pace(Ns(now + int(cfg.cooldown_sec * SECOND)))


def failed(pace: Pace, fault: Fault, now: Ns, cfg: AiSignal) -> Pace:
    """After a fault."""
    failures = pace.failures + 1
    opens = fault.lasting or failures >= cfg.breaker_failures
    wait_s = max(cfg.cooldown_sec, min(fault.wait_s, LONGEST_WAIT_S))
    if opens:
        wait_s = max(wait_s, cfg.breaker_pause_sec)
    return Pace(Ns(now + int(wait_s * SECOND)), failures, opens)


def asking(usage: Usage, wall: Ns) -> Usage:
    """A question goes out: noted before, so that no crash makes it free of charge."""
    today = day_of(wall)
    spent = usage.day_usd if usage.day == today else Decimal(0)
    return replace(usage, asked_wall=wall, questions=usage.questions + 1, day=today, day_usd=spent)


def charged(usage: Usage, said: Said, cfg: AiSignal) -> Usage:
    """The tokens of an answer, whatever it says, at the configured price."""
    usd = (said.tokens_in * cfg.input_price_usd + said.tokens_out * cfg.output_price_usd) / MILLION
    return replace(
        usage,
        tokens_in=usage.tokens_in + said.tokens_in,
        tokens_out=usage.tokens_out + said.tokens_out,
        usd=usage.usd + usd,
        day_usd=usage.day_usd + usd,
    )


def is_spent(usage: Usage, wall: Ns, cfg: AiSignal) -> bool:
    """Whether the budget of this UTC day is used up; a budget of 0 is none."""
    if not cfg.daily_budget_usd or usage.day != day_of(wall):
        return False
    return usage.day_usd >= cfg.daily_budget_usd


def day_of(wall: Ns) -> str:
    return f"{datetime.fromtimestamp(wall // SECOND, UTC):%Y-%m-%d}"


def fault_of(code: int, wait_s: float, cfg: AiSignal) -> Fault:
    """What an HTTP status that is no 200 means, and what to do about it."""
    match code:
        case 401 | 403:
            text = f"the key is refused (HTTP {code}); put a valid one into ai_signal.api_key"
            return Fault("key", text, lasting=True)
        case 404:
            text = f"the model {cfg.model} is unknown there (HTTP 404); set ai_signal.model"
            return Fault("model", text, lasting=True)
        case 429:
            return Fault("limit", "too many questions or no credit (HTTP 429)", wait_s=wait_s)
        case 400 | 422:
            text = (
                f"the question is refused (HTTP {code}): check ai_signal.model; some models take "
                "no temperature (ai_signal.temperature = -1)"
            )
            return Fault("request", text, lasting=True)
        case _ if 300 <= code < 400:
            return Fault("redirect", f"it redirects (HTTP {code}), which we never follow")
        case _:
            return Fault("server", f"the provider has a fault (HTTP {code})", wait_s=wait_s)
