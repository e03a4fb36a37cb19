"""The faults that the simulator injects, by their catalogue number, and what each must lead to.

Numbers F1 to F90 are those of the project's fault catalogue; X stands for faults beyond it. What
belongs to real processes, disks and sockets has its tests elsewhere and no row here.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

SAFE: Final = "no invariant breaks, and after healing all comes right"


class Fault(Struct, frozen=True):
    """what: is done to the house. must: what it has to lead to, asserted in the same run."""

    what: str
    must: str = SAFE


CATALOGUE: Final[dict[str, Fault]] = {
    "F1": Fault("strategy killed before the commit of a step with letters"),
    "F2": Fault("strategy killed after the commit, before the letters"),
    "F3": Fault("strategy killed after some of its letters were sent"),
    "F4": Fault("strategy killed before a fill was committed", "booked once by the next life"),
    "F5": Fault("strategy killed after a fill was committed", "not booked again"),
    "F6": Fault("strategy killed in the middle of reconciliation"),
    "F8": Fault("feed killed", "no order on a stale book; cancelled when it is silent for long"),
    "F9": Fault("feed and strategy killed", "the switch clears the book"),
    "F10": Fault("strategy stopped for seconds to minutes", "nothing is sent on old mail"),
    "F11": Fault("feed stopped for seconds", "no order on a stale book"),
    "F14": Fault("a second strategy is started", "it is refused"),
    "F27": Fault("disk full at the commit", "no letter of that step leaves"),
    "F42": Fault("wall clock of the strategy leaps by an hour", "nothing is sent with that skew"),
    "F43": Fault("the whole house is suspended for minutes"),
    "F44": Fault("wall clock of the strategy wanders off by up to 3 s"),
    "F46": Fault("half-open line", "noticed within seconds"),
    "F47": Fault("one public subscription falls silent", "no order on a stale book"),
    "F48": Fault("heartbeats are lost"),
    "F49": Fault("book update lost, doubled or out of order", "nothing false is published"),
    "F50": Fault("wrong checksum", "noticed, and nothing false is published"),
    "F51": Fault("update of an old subscription", "nothing false is published"),
    "F53": Fault("crossed book with a valid checksum", "never published as valid"),
    "F54": Fault("one side of the book is empty", "never published as valid"),
    "F55": Fault("absurd numbers in a book", "nothing false is published"),
    "F56": Fault("garbage on a line"),
    "F57": Fault("flash crash or spike", "no order outside the collar, none that takes"),
    "F58": Fault("the price stands still"),
    "F59": Fault("connections are refused"),
    "F60": Fault("strategy starts while the feed runs"),
    "F61": Fault("frames lost on the bus"),
    "F63": Fault("token refused", "another one is fetched"),
    "F64": Fault("REST: invalid nonce"),
    "F65": Fault("REST: temporary lockout"),
    "F66": Fault("rate limit exceeded", "the slot comes to rest, and nothing loops"),
    "F67": Fault("an order is refused, each documented reason", "the slot is empty and rests"),
    "F68": Fault("a storm of refusals", "no tight loop"),
    "F69": Fault("answer lost, or its outcome unknown", "looked up, never sent again"),
    "F70": Fault("answer late, or twice"),
    "F71": Fault("line stalls and delivers late", "nothing comes to life after its deadline"),
    "F72": Fault("events overtake answers"),
    "F73": Fault("an order is filled in part"),
    "F75": Fault("more than 50 fills while away", "all are booked, once"),
    "F76": Fault("REST history lags behind", "all fills are booked, once"),
    "F77": Fault("the list omits an order for a moment", "it is not given up"),
    "F78": Fault("a cancel is acknowledged and the order lives", "it is cancelled in the end"),
    "F79": Fault("cancel or amend of an order that is gone", "looked up"),
    "F80": Fault("an order of our form that no slot owns", "cancelled"),
    "F81": Fault("owner trades, deposits or withdraws", "foreign orders stay; the drift is told"),
    "F82": Fault("balances channel says something else", "put right by the next question"),
    "F84": Fault("re-arming refused or its answer lost", "no order without cover"),
    "F85": Fault("switch runs out during maintenance"),
    "F86": Fault("maintenance, cancel_only, post_only", "no order is sent meanwhile"),
    "F87": Fault("post_only, then online"),
    "F88": Fault("the exchange cancels all orders"),
    "F89": Fault("the fee tier changes"),
    "F90": Fault("funds vanish under resting wishes", "refusals do not loop"),
    "X1": Fault("private line cut", "noticed, and synced anew"),
    "X2": Fault("public line cut"),
    "X3": Fault("event of the private line lost, doubled or out of order", "the line is closed"),
    "X4": Fault("REST fails: HTML, no answer, busy; carried out or not"),
    "X5": Fault("REST is slow"),
    "X6": Fault("executions fall silent while heartbeats go on"),
    "X7": Fault("operator holds, resumes, clears, stops", "while held nothing is sent"),
    "X8": Fault("frames late on the bus"),
    "X9": Fault("private line away for minutes", "by REST nothing leaves while a doubt is open"),
    "X10": Fault("kill in every state", "no order rests 2 s later"),
}
