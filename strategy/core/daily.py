"""The daily loss: equity now against equity at the German day's first moment, or the start.

What a day may cost is a limit of its own beside the drawdown: it halts until a person resumes,
and is then counted anew from there.
"""

from __future__ import annotations

from typing import Final

import msgspec

from strategy.core.memory import Day, Memory
from strategy.core.out import Out
from strategy.ledger.entries import Remember
from strategy.ledger.tax import berlin_day

DAY_FACT: Final = "day"


def turn_day(memory: Memory) -> list[Out]:
    """A new day begins with the equity that is known then."""
    today = berlin_day(memory.wall).isoformat()
    if memory.risk.equity <= 0 or memory.day.day == today:
        return []
    memory.day = Day(today, memory.risk.equity)
    return [Remember(DAY_FACT, msgspec.json.encode(memory.day).decode())]


def overspent(memory: Memory) -> str:
    """Why the day's loss stops everything; "" while it is within limits.daily_loss_quote."""
    limit = float(memory.config.limits.daily_loss_quote)
    lost = memory.day.equity - memory.risk.equity
    if not memory.day.day or memory.risk.equity <= 0 or lost <= limit:
        return ""
    return f"lost {lost:.2f} since the day began (limits.daily_loss_quote)"
