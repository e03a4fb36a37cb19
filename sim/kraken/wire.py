"""The exchange's JSON: requests in with exact numbers, answers out with fixed decimals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from shared.units import SECOND
from sim.engine.values import Refused

MALFORMED: Final = "Malformed request"


class Ask(Struct, frozen=True):
    """One request as it arrived: {"method": ..., "params": {...}, "req_id": ...}."""

    method: str
    params: Mapping[str, Any] | None
    req_id: int | None
    time_in: int  # wall ns


def parse(text: str, *, exponents: bool = True) -> Any:
    """JSON with ints as int and other numbers as Decimal; Refused where it is none."""

    def number(digits: str) -> Decimal:
        if not exponents and "e" in digits.lower():
            raise Refused(MALFORMED)
        return Decimal(digits)

    def constant(word: str) -> None:
        raise Refused(MALFORMED)

    try:
        return json.loads(text, parse_float=number, parse_constant=constant)
    except (ValueError, ArithmeticError, RecursionError):
        raise Refused(MALFORMED) from None


def read_ask(text: str, time_in: int, *, exponents: bool = True) -> Ask:
    """A request of the gateway; Refused where its envelope is none."""
    found = parse(text, exponents=exponents)
    if not isinstance(found, dict):
        raise Refused(MALFORMED)
    method, params, req_id = found.get("method"), found.get("params"), found.get("req_id")
    good_id = req_id is None or (isinstance(req_id, int) and not isinstance(req_id, bool))
    if not isinstance(method, str) or not good_id:
        raise Refused(MALFORMED)
    if params is not None and not isinstance(params, dict):
        raise Refused(MALFORMED)
    for key in found:
        if key not in ("method", "params", "req_id"):
            raise Refused(f"Unsupported field: '{key}' for the given msg type: {method}")
    return Ask(method, params, req_id, time_in)


def check_fields(ask: Ask, allowed: frozenset[str]) -> Mapping[str, Any]:
    """The parameters of a request; Refused where one is not known."""
    params = ask.params or {}
    for key in params:
        if key not in allowed:
            raise Refused(f"Unsupported field: '{key}' for the given msg type: {ask.method}")
    return params


def flag(params: Mapping[str, Any], name: str, default: bool) -> bool:
    """A yes or no of a request."""
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise Refused(f"{name.capitalize()} field must be a boolean")
    return value


def answer(ask: Ask, time_out: int, result: str | None = None, **more: str) -> str:
    """A success frame; `result` and `more` are JSON texts. Keys in alphabetical order."""
    fields = {"method": quote(ask.method), "success": "true", **more}
    if result is not None:
        fields["result"] = result
    return _frame(fields, ask.req_id, ask.time_in, time_out)


def refusal(ask: Ask, time_out: int, error: str, **more: str) -> str:
    """A failure frame."""
    fields = {"method": quote(ask.method), "success": "false", "error": quote(error), **more}
    return _frame(fields, ask.req_id, ask.time_in, time_out)


def malformed(error: str, wall: int) -> str:
    """The answer to what was no request at all."""
    fields = {"method": '"error"', "success": "false", "error": quote(error)}
    return _frame(fields, None, wall, wall)


def _frame(fields: dict[str, str], req_id: int | None, time_in: int, time_out: int) -> str:
    if req_id is not None:
        fields["req_id"] = str(req_id)
    fields["time_in"] = f'"{stamp(time_in)}"'
    fields["time_out"] = f'"{stamp(time_out)}"'
    return "{" + ",".join(f'"{key}":{fields[key]}' for key in sorted(fields)) + "}"


def quote(text: str) -> str:
    """A JSON string."""
    return json.dumps(text)


def word(value: bool) -> str:
    """A JSON truth value."""
    return "true" if value else "false"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def stamp(wall: int) -> str:
    """RFC 3339 UTC with six decimals."""
    seconds, rest = divmod(wall, SECOND)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


def stamp_ns(wall: int) -> str:
    """RFC 3339 UTC with nine decimals, as ohlc dates its messages."""
    seconds, rest = divmod(wall, SECOND)
    return f"{_second(seconds)}.{rest:09d}Z"


def stamp_s(wall: int) -> str:
    """RFC 3339 UTC in whole seconds."""
    return f"{_second(wall // SECOND)}Z"


def read_stamp(text: object, name: str) -> int:
    """An RFC 3339 time as wall ns; Refused where it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise Refused(f"EGeneral:Invalid arguments:{name}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000
