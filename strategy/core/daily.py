"""The daily loss: equity now against equity at the German day's first moment, or the start.

What a day may cost is a limit of its own beside the drawdown: it halts until a person resumes,
and is then counted anew from there. Unlike the other halts it says nothing against our own
machinery, so the emergency sale of the risk manager still leaves (`spares_exits`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from strategy.core.memory import Day, Memory
from strategy.core.out import Out
from strategy.ledger.entries import Remember
from strategy.ledger.tax import berlin_date

DAY_FACT: Final = "day"
LIMIT: Final = "limits.daily_loss_quote"


def turn_day(memory: Memory) -> list[Out]:
    """A new day begins with the equity that is known then."""
    today = berlin_date(memory.wall)
    if memory.risk.equity <= 0 or memory.day.day == today:
        return []
    memory.day = Day(today, memory.risk.equity)
    return [day_fact(memory)]


def day_fact(memory: Memory) -> Remember:
    """What the next life must know of the day."""
    return Remember(DAY_FACT, msgspec.json.encode(memory.day).decode())


def spares_exits(halt: str) -> bool:
    """Whether this halt is for the day's loss alone: nothing is quoted, exits still sell."""
    return halt.endswith(f"({LIMIT})")


def overspent(memory: Memory) -> str:
    """Why the day's loss stops everything; "" while it is within limits.daily_loss_quote."""
    if memory.risk.equity <= 0 or not overspent_by(memory, memory.risk.equity):
        return ""
    lost = memory.day.equity - memory.risk.equity
    return f"lost {lost:.2f} since the day began ({LIMIT})"


def overspent_by(memory: Memory, equity: float) -> bool:
    """Whether the day would have lost too much at this equity."""
    lost = memory.day.equity - equity
    return lost > 0 and bool(memory.day.day) and lost > float(memory.config.limits.daily_loss_quote)
