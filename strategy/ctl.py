"""`strategy-ctl`: what an operator asks the running strategy, and how it is told to him.

Rule 1: it never hangs: a strategy that does not run is said at once, one that does not answer after
two seconds.
Rule 2: it decides nothing. Whether a request is carried out, and why not, the strategy says.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final, NoReturn, get_args

import msgspec
import typer

from shared.bus import BusError, ControlClient, NoAnswer, NotRunning
from shared.clock import machine_wall
from shared.config import EXIT_BROKEN, find_home
from shared.control import (
    CONTROL_VERSION,
    AcceptDrift,
    AnyRequest,
    AskLots,
    AskOrderList,
    AskReconcile,
    AskStatus,
    AskTax,
    CancelOrders,
    Explain,
    Flatten,
    Hold,
    Kill,
    Reason,
    Reply,
    ResetPeak,
    Resume,
    Shutdown,
    SwitchAdvice,
    decode_reply,
    encode_request,
)
from strategy import ctl_screen, ctl_view
from strategy.ctl_view import Shown

SOCKET: Final = "run/strategy.ctl"
"""Relative: a unix socket's path may have 107 bytes only, so we go to the home first."""

OK, REFUSED, USAGE, NOT_RUNNING, NO_ANSWER = range(5)
"""The exit codes; 70 is a fault of strategy-ctl itself."""

LONGEST_REASON: Final[int] = get_args(Reason)[1].max_length
LONGEST_SLOT: Final = 16

app = typer.Typer(
    name="strategy-ctl",
    help="Ask the running strategy, or tell it what to do.\n\n"
    "Exit codes: 0 done, 1 refused by the strategy, 2 usage, 3 the strategy is not running, "
    "4 it did not answer in time.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

HomeOption = Annotated[
    str | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder of the installation. Default: $ICRYPTOTRADER_HOME, else var/ in the checkout.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object with documented keys (docs/operations.md).")
]
ReasonArgument = Annotated[str, typer.Argument(help="Kept in the ledger's audit trail.")]


def main() -> None:
    """The command."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has gone: nothing to say, and nobody to say it to.
        sys.stderr.close()
        sys.exit(REFUSED)
    except Exception as error:  # noqa: BLE001 - the last frame: an operator is shown one line
        typer.echo(f"strategy-ctl: unexpected fault: {type(error).__name__}: {error}", err=True)
        sys.exit(EXIT_BROKEN)


@app.callback()
def settle(context: typer.Context, home: HomeOption = None) -> None:
    context.obj = home


@app.command()
def status(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """The whole view on one screen: state, grid, fills, balances, ages, alerts."""
    _ask(context, home, AskStatus(*_head()), json=json, show=ctl_screen.status)


@app.command()
def watch(
    context: typer.Context,
    home: HomeOption = None,
    every: Annotated[float, typer.Option(min=0.2, max=60.0, help="Seconds between pictures.")] = 1,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="End after so many pictures; else on Ctrl-C.")
    ] = None,
) -> None:
    """The status, drawn anew each second until Ctrl-C; a strategy that is down is waited for."""
    from rich.console import Console

    from strategy.ctl_watch import watch as draw

    said: Any = context.find_root().obj
    place = find_home(home or said).path

    def fetch() -> tuple[dict[str, Any] | None, str]:
        request = AskStatus(*_head())
        try:
            reply = decode_reply(ControlClient(place / SOCKET).ask(encode_request(request)))
        except (BusError, OSError) as error:
            return None, f"the strategy cannot be asked in {place}: {error}"
        return (reply.data, "") if reply is not None else (None, "the answer is none of ours")

    draw(fetch, Console(highlight=False), every, rounds)


@app.command()
def orders(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Each slot of the grid with its order, and why it is as it is."""
    _ask(context, home, AskOrderList(*_head()), json=json, show=ctl_view.orders)


@app.command()
def lots(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """The open lots, oldest first, and from when each may be sold free of tax."""
    _ask(context, home, AskLots(*_head()), json=json, show=ctl_view.lots)


@app.command()
def tax(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """The tax year so far: net, room, what rests at risk, the pace, unlocks, and why."""
    _ask(context, home, AskTax(*_head()), json=json, show=ctl_view.tax)


@app.command()
def hold(
    context: typer.Context,
    reason: ReasonArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Cancel own orders and quote nothing until `resume`; survives a restart."""
    request = Hold(*_head(), reason=_short(reason, LONGEST_REASON, "REASON"))
    _ask(context, home, request, json=json)


@app.command()
def resume(
    context: typer.Context,
    reason: ReasonArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """End a hold or a halt."""
    request = Resume(*_head(), reason=_short(reason, LONGEST_REASON, "REASON"))
    _ask(context, home, request, json=json)


@app.command("cancel-all")
def cancel_all(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Cancel own orders once; the grid may quote again. To stay out of the market: `hold`."""
    _ask(context, home, CancelOrders(*_head()), json=json)


@app.command()
def flatten(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    word: Annotated[
        str | None, typer.Option("--yes", metavar="flatten", help="The word, for scripts.")
    ] = None,
) -> None:
    """Sell what may be sold free of tax at the market, inside the price collar; then hold.

    The word `flatten` must be typed again.
    """
    word = _typed("flatten", word, "This sells.", json=json)
    _ask(context, home, Flatten(*_head(), word=word), json=json)


@app.command()
def explain(
    context: typer.Context,
    slot: Annotated[str, typer.Argument(help="b1, s3, x; buy or sell for a side; idle.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Why a slot or a side is as it is, or why nothing is quoted: reasons, stage by stage."""
    request = Explain(*_head(), slot=_short(slot, LONGEST_SLOT, "SLOT"))
    _ask(context, home, request, json=json, show=ctl_view.explain)


@app.command()
def reconcile(
    context: typer.Context,
    accept: Annotated[
        str | None, typer.Argument(metavar="[accept", help="Declare the difference as external.")
    ] = None,
    reason: Annotated[
        str | None, typer.Argument(metavar="REASON]", help="Kept in the ledger's audit trail.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """How balances, ledger and orders stand; `reconcile accept REASON` ends a held difference.

    Accepted coins are counted as somebody's own: the ledger has no purchase of them, the tax book
    must be told otherwise.
    """
    if accept is None:
        _ask(context, home, AskReconcile(*_head()), json=json, show=ctl_view.reconcile)
    if accept != "accept" or not reason:
        _end(USAGE, "reconcile: say nothing more, or: accept REASON", json=json)
    request = AcceptDrift(*_head(), reason=_short(reason, LONGEST_REASON, "REASON"))
    _ask(context, home, request, json=json)


@app.command()
def advice(
    context: typer.Context,
    switch: Annotated[str, typer.Argument(metavar="on|off", help="Whether it is listened to.")],
    reason: ReasonArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Listen to a model's advice, or not: `off` takes its lean out at once; survives a restart."""
    if switch not in ("on", "off"):
        _end(USAGE, f"advice: say on or off, not {switch!r}", json=json)
    short = _short(reason, LONGEST_REASON, "REASON")
    _ask(context, home, SwitchAdvice(*_head(), on=switch == "on", reason=short), json=json)


@app.command("reset-peak")
def reset_peak(
    context: typer.Context,
    reason: ReasonArgument,
    home: HomeOption = None,
    json: JsonOption = False,
    word: Annotated[
        str | None, typer.Option("--yes", metavar="reset-peak", help="The word, for scripts.")
    ] = None,
) -> None:
    """Measure the drawdown from the present equity on: ends a risk pause; survives a restart.

    The word `reset-peak` must be typed again.
    """
    short = _short(reason, LONGEST_REASON, "REASON")
    warning = "What was lost so far no longer counts for any pause."
    word = _typed("reset-peak", word, warning, json=json)
    _ask(context, home, ResetPeak(*_head(), reason=short, word=word), json=json)


@app.command()
def kill(
    context: typer.Context,
    reason: ReasonArgument,
    home: HomeOption = None,
    json: JsonOption = False,
    word: Annotated[
        str | None, typer.Option("--yes", metavar="kill", help="The word, for scripts.")
    ] = None,
) -> None:
    """Cancel every order of the account, foreign ones too, and halt; survives a restart.

    The word `kill` must be typed again. Without a strategy that answers: `bot-kill`.
    """
    short = _short(reason, LONGEST_REASON, "REASON")
    word = _typed("kill", word, "This cancels every order of the account.", json=json)
    _ask(context, home, Kill(*_head(), reason=short, word=word), json=json)


@app.command()
def shutdown(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Drain and stop: own orders cancelled and confirmed, the ledger closed, the house ended."""
    _ask(context, home, Shutdown(*_head()), json=json)


def _typed(word: str, given: str | None, warning: str, *, json: bool) -> str:
    """The word as it was typed again; without it nothing is done."""
    if given is None:
        if not sys.stdin.isatty():
            _end(USAGE, f'{word}: type the word again: --yes "{word}"', json=json)
        given = typer.prompt(f"{warning} Type the word {word} to go on")
    if given != word:
        _end(USAGE, f"{word}: the word was not typed; nothing was done", json=json)
    return given


def _ask(
    context: typer.Context,
    home: str | None,
    request: AnyRequest,
    *,
    json: bool,
    show: Callable[[dict[str, Any]], Shown] = ctl_view.nothing,
) -> NoReturn:
    """Ask, show, and end with the exit code that says what became of it."""
    said: Any = context.find_root().obj
    place = find_home(home or said).path
    try:
        # Not a mere path: see SOCKET.
        os.chdir(place)
        answer = ControlClient(SOCKET).ask(encode_request(request))
    except (NotRunning, FileNotFoundError, NotADirectoryError):
        text = f"the strategy is not running in {place}; start it with: icryptotrader run"
        _end(NOT_RUNNING, text, json=json)
    except NoAnswer:
        text = "the strategy runs but did not answer within 2 s; look into the log folder"
        _end(NO_ANSWER, text, json=json)
    except (BusError, OSError) as error:
        _end(NOT_RUNNING, f"the strategy cannot be reached: {error}", json=json)
    reply = decode_reply(answer)
    if reply is None or reply.request_id != request.request_id:
        _end(NO_ANSWER, "the answer is none of ours: is another version running?", json=json)
    _tell(reply, json=json, show=show)


def _tell(reply: Reply, *, json: bool, show: Callable[[dict[str, Any]], Shown]) -> NoReturn:
    if json or not reply.ok:
        _end(OK if reply.ok else REFUSED, reply.text, json=json, data=reply.data)
    shown = show(reply.data)
    if shown:
        from rich.console import Console

        console = Console(highlight=False)
        for part in shown:
            console.print(part)
    else:
        typer.echo(reply.text)
    sys.exit(OK)


def _end(code: int, text: str, *, json: bool, data: dict[str, Any] | None = None) -> NoReturn:
    """Say it, as JSON on standard output or as a line, and leave."""
    if json:
        answer = ctl_view.as_json(data or {}) | {"ok": code == OK, "code": code, "text": text}
        typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    else:
        typer.echo(text, err=code != OK)
    sys.exit(code)


def _head() -> tuple[int, str]:
    """What each request begins with; the id is unique among all who ask on this machine."""
    return CONTROL_VERSION, f"ctl-{os.getpid():x}-{machine_wall():x}"


def _short(text: str, limit: int, name: str) -> str:
    if len(text) > limit:
        raise typer.BadParameter(f"{name} may have {limit} characters, this has {len(text)}")
    return text
