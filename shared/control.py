"""What the operator may ask the running strategy, and what he is told.

One request, one reply, over ROUTER/REQ. A request can be repeated without harm: the same
`request_id` is answered from memory. Requests reach the core as events, so a hold pressed by hand
stands in the journal too.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

CONTROL_VERSION: Final = 1
REQUEST_LIMIT: Final = 64 * 1024
"""Bytes; a larger request is dropped unread."""

RATES_LIMIT: Final = 45_000
"""Bytes of a file of rates, so that a request with it stays below REQUEST_LIMIT."""

Reason = Annotated[str, Meta(max_length=500)]


class Request(Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What every request carries."""

    version: int
    request_id: Annotated[str, Meta(min_length=8, max_length=64)]


class AskStatus(Request, frozen=True, forbid_unknown_fields=True, tag="status"):
    """The whole view."""


class AskOrderList(Request, frozen=True, forbid_unknown_fields=True, tag="orders"):
    """Each slot with its order."""


class AskLots(Request, frozen=True, forbid_unknown_fields=True, tag="lots"):
    """The open lots, oldest first."""


class AskTax(Request, frozen=True, forbid_unknown_fields=True, tag="tax"):
    """Lots by age, unlock calendar, the tax year so far: bounded, however many lots."""


class Explain(Request, frozen=True, forbid_unknown_fields=True, tag="explain"):
    """Why a slot is as it is."""

    slot: Annotated[str, Meta(max_length=16)]


class Hold(Request, frozen=True, forbid_unknown_fields=True, tag="hold"):
    """Cancel own orders and quote nothing until resumed; survives a restart."""

    reason: Reason


class Resume(Request, frozen=True, forbid_unknown_fields=True, tag="resume"):
    """End a hold or a halt."""

    reason: Reason


class AskReconcile(Request, frozen=True, forbid_unknown_fields=True, tag="reconcile"):
    """How balances, ledger and orders stand against the exchange's own."""


class AcceptDrift(Request, frozen=True, forbid_unknown_fields=True, tag="reconcile-accept"):
    """Declare the difference of the coins that is held as external, so that trading goes on."""

    reason: Reason


class CancelOrders(Request, frozen=True, forbid_unknown_fields=True, tag="cancel-all"):
    """Cancel own orders once; the grid may quote again."""


class Flatten(Request, frozen=True, forbid_unknown_fields=True, tag="flatten"):
    """Sell what may be sold free of tax at the market, inside the collar, then hold."""

    word: Annotated[str, Meta(max_length=16)]  # "flatten", typed again


class Kill(Request, frozen=True, forbid_unknown_fields=True, tag="kill"):
    """Cancel every order of the account, foreign ones too, and halt until resumed."""

    reason: Reason
    word: Annotated[str, Meta(max_length=16)]  # "kill", typed again


class Advise(Request, frozen=True, forbid_unknown_fields=True, tag="advise"):
    """An opinion from outside: it may lean the grid by a bounded amount, which fades."""

    verdict: Literal["STRONG_BUY", "BUY", "NEUTRAL", "SELL", "STRONG_SELL"]
    confidence: Annotated[float, Meta(ge=0.0, le=1.0)]
    bias_bps: Annotated[float, Meta(ge=-100.0, le=100.0)]  # 0: by the verdict alone
    regime_hint: Literal["", "range_bound", "trending_up", "trending_down", "chaos"] = ""
    source: Annotated[str, Meta(max_length=64)] = ""


class SwitchAdvice(Request, frozen=True, forbid_unknown_fields=True, tag="advice"):
    """Listen to advice, or not: off drops what stands at once; survives a restart."""

    on: bool
    reason: Reason


class AskRates(Request, frozen=True, forbid_unknown_fields=True, tag="rates"):
    """Up to which day the ECB's rates are known, and which should be."""


class TakeRates(Request, frozen=True, forbid_unknown_fields=True, tag="rates-take"):
    """A file of ECB rates, as it was fetched: checked, kept under its hash, used from now on."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    data: Annotated[bytes, Meta(min_length=1, max_length=RATES_LIMIT)]


class ResetPeak(Request, frozen=True, forbid_unknown_fields=True, tag="reset-peak"):
    """Measure the drawdown from the present equity on: ends a pause, and forgets what was lost."""

    reason: Reason
    word: Annotated[str, Meta(max_length=16)]  # "reset-peak", typed again


class Announce(Request, frozen=True, forbid_unknown_fields=True, tag="announce"):
    """Something a program of the roof has done: for the log, the dashboard and the telephone."""

    key: Literal["report"]
    text: Reason


class Shutdown(Request, frozen=True, forbid_unknown_fields=True, tag="shutdown"):
    """Drain and stop."""


AnyRequest = (
    AskStatus
    | AskOrderList
    | AskLots
    | AskTax
    | Explain
    | AskReconcile
    | AcceptDrift
    | Hold
    | Resume
    | CancelOrders
    | Flatten
    | Kill
    | Advise
    | Announce
    | AskRates
    | TakeRates
    | SwitchAdvice
    | ResetPeak
    | Shutdown
)


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """ok, a sentence for people, and the facts (JSON-able) for `--json`."""

    request_id: str
    ok: bool
    text: str
    data: dict[str, object] = {}


_requests = msgspec.json.Decoder(AnyRequest)
_replies = msgspec.json.Decoder(Reply)


def encode_request(request: AnyRequest) -> bytes:
    return msgspec.json.encode(request)


def decode_request(payload: bytes) -> AnyRequest | None:
    """A request of our version, or None (dropped: whoever sent it is none of ours)."""
    try:
        request = _requests.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return request if request.version == CONTROL_VERSION else None


def encode_reply(reply: Reply) -> bytes:
    return msgspec.json.encode(reply)


def decode_reply(payload: bytes) -> Reply | None:
    try:
        return _replies.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
