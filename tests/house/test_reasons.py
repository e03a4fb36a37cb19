"""Whatever the strategy says to people has its German sentence, and no German one is left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from monitor.reasons import german
from monitor.reasons_de import ALERTS, EXITS, GATE, GRID, REASONS, REPLIES, STATES, TAX
from monitor.words import words

ROOT: Final = Path(__file__).resolve().parents[2]
SPEAKERS: Final = (
    *sorted((ROOT / "strategy" / "core").glob("*.py")),
    ROOT / "strategy" / "ledger" / "plans.py",
    ROOT / "strategy" / "ledger" / "room.py",
    ROOT / "strategy" / "ledger" / "year.py",
    ROOT / "shared" / "vitals.py",
)
"""Who builds sentences that a page shows."""

TERMINAL: Final = ("explain.py", "published.py", "feasible.py", "snapshot.py")
"""Who answers the terminal or another process alone; feasible's are found in the table by hand."""

SPOKEN: Final = frozenset({
    # Answers that only strategy-ctl asks for; the page has its own words for them.
    "{} orders", "{} held, {} free of tax{}", ", {} kept for withdrawals",
    "{}; sells go on", "sells are held until a list came",
    "the balance is off by {} since {} s: being looked into", "balance and ledger agree",
    "the difference still moves: look at it again in half a minute",
    "nothing is held: there is no difference to accept", "{} {} declared as external",
    'type the word "flatten" to confirm', 'type the word "kill" to confirm',
    'type the word "reset-peak" to confirm', "listens to advice again",
    "advice is switched off; the lean is gone",
    "ai_signal.enabled is false: nobody listens to advice",
    "switched off: {} (strategy-ctl advice on REASON)",
    "the equity is not known now (a balance or a price is missing)",
    "draining: own orders are cancelled, then the switch is disarmed",
    # The status line of the terminal.
    "{}: net {} EUR, room {}", ", free {} {}", ", {} of the resting sells would be taxable",
    ", locked in {} days at what was sold of late",
    # The audit trail, and names of matters.
    "reconcile accept", "withdrawal {}: booked by the bot once it had left", "{}: row {}",
    "has left, to be booked", "on its way", "post only", "nobody hears {}",
    "slot {} {}: {} while {}",
    # Pieces of a sentence that stands whole in the table.
    "exit ({}): sells {} {} down to {}", ", from {} lots, gain about ", "{} EUR; {}",
    "unknown in EUR, no rate for {}: {}", "{} of {} ({} {})", "has left", "is on its way",
    "withdrawal of {}", "{} {}: the oldest coins are kept for it",
    "{} {} {} at the exchange than the ledger accounts for; sells are held; see: "
    "strategy-ctl reconcile",
    # Who it is, not what it says.
    "Bollinger", "Avellaneda-Stoikov",
})  # fmt: skip
"""What is said to nobody who reads German, or is a part of what is."""


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """(line, sentence with gaps) of each text with words in it; docstrings and asserts left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
        if isinstance(node, ast.Assert) and node.msg is not None:
            silent.update(ast.walk(node.msg))
        if isinstance(node, ast.JoinedStr):
            # Texts in a gap are sentences of their own; the pieces between gaps are not.
            silent.update(part for part in node.values if isinstance(part, ast.Constant))
            for part in node.values:
                if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
                    silent.update(ast.walk(part.format_spec))
    for node in ast.walk(tree):
        if node in silent:
            continue
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def is_said(text: str) -> bool:
    """A sentence: two words at least, of which one is none of a gap."""
    return " " in text.strip() and re.search(r"[a-z]{2}", text.replace("{}", "")) is not None


SAID: Final = {
    sentence: f"{path.relative_to(ROOT)}:{line}"
    for path in SPEAKERS
    if path.name not in TERMINAL
    for line, sentence in sentences(path)
    if is_said(sentence)
}


def test_every_sentence_of_the_strategy_has_its_german_one() -> None:
    lacking = {
        place: sentence
        for sentence, place in SAID.items()
        if sentence.strip() not in REASONS and sentence not in SPOKEN
    }
    assert not lacking, "add them to monitor/reasons_de.py"


def test_no_german_sentence_is_left_over() -> None:
    """Each is still said somewhere: its longest piece between gaps stands in the strategy."""
    source = "\n".join(sentence for path in SPEAKERS for _, sentence in sentences(path))
    shell = (ROOT / "strategy" / "shell.py").read_text(encoding="utf-8")
    for english in (each for each in REASONS if each not in STATES):
        piece = max(english.split("{}"), key=len).strip(" ,:()")
        # Where the strategy has a gap for one of two words, the table has two sentences.
        piece = re.sub(r"^(more|less|buys|sells) ", "", piece)
        found = any(part in source or part in shell for part in piece.split(", gain about "))
        assert found or is_name(piece), english


def is_name(piece: str) -> bool:
    """The exchange's and the machine's own words of state."""
    return piece in ("online", "maintenance")


def test_both_have_the_same_gaps() -> None:
    tables = (GRID, GATE, TAX, EXITS, ALERTS, REPLIES, STATES)
    assert sum(map(len, tables)) == len(REASONS), "a sentence stands in two tables"
    for english, deutsch in REASONS.items():
        assert english.count("{}") == deutsch.count("{}"), english


@pytest.mark.parametrize(
    ("english", "deutsch"),
    [
        ("rests in the book", "liegt im Buch"),
        (
            "rungs 39 bps apart (the fees' floor)",
            "Sprossen 39 bps auseinander (Untergrenze der Gebühren)",
        ),
        ("rungs 50 bps apart (Bollinger)", "Sprossen 50 bps auseinander (Bollinger)"),
        ("rungs 50 bps apart", "Sprossen 50 bps auseinander"),
        (
            "rung 1, 2: no coins left that may be sold; rung 3: below an unmatched buy plus fees",
            "Sprosse 1, 2: keine Coins mehr, die verkauft werden dürfen; Sprosse 3: unter einem "
            "offenen Kauf samt Gebühren",
        ),
        (
            "halted: over 20 fills within a minute (limits.fills_per_minute) "
            "(strategy-ctl resume REASON)",
            "angehalten: über 20 Ausführungen in einer Minute (limits.fills_per_minute) "
            "(weiter mit strategy-ctl resume GRUND)",
        ),
        (
            "free of tax today: 0.50000000; the year has no room left for taxable gains",
            "heute steuerfrei: 0.50000000; das Jahr hat keine Luft mehr für steuerpflichtige "
            "Gewinne",
        ),
        (
            "free of tax today: 0.1; beyond it there is room for 999.99 EUR of gain",
            "heute steuerfrei: 0.1; darüber hinaus ist Luft für 999.99 EUR Gewinn",
        ),
        ("the gate: would cross the book", "die Schranke: würde sofort ausgeführt"),
        ("on hold: tea; coffee", "vom Bediener angehalten: tea; coffee"),
        (
            "harvest: the loss within reach, 34.82 EUR, is below 50 EUR",
            "Verlustverkauf: der erreichbare Verlust, 34.82 EUR, liegt unter 50 EUR",
        ),
        (
            "exit (drawdown 21.0%): sells 0.02 BTC down to 84574.5, from 1 lots, gain about -3 "
            "EUR; expected taxable gain -3 EUR: 0.02 of T (taxable -3)",
            "Ausstieg (Rückgang 21.0%): verkauft 0.02 BTC bis hinab zu 84574.5, aus 1 "
            "Anschaffungen, Gewinn etwa -3 EUR; erwarteter steuerpflichtiger Gewinn -3 EUR: "
            "0.02 of T (taxable -3)",
        ),
        ("add refused: EOrder:Insufficient funds", "add abgelehnt: EOrder:Insufficient funds"),
        ("EOrder:Post only order", "EOrder:Post only order"),
        ("", ""),
        ("x" * 5_000, "x" * 5_000),
    ],
)  # fmt: skip
def test_a_sentence_is_found_by_its_shape(english: str, deutsch: str) -> None:
    assert german(english) == deutsch
    assert words("de")(english) == deutsch
    assert words("en")(english) == english


@pytest.mark.parametrize("english", list(REASONS))
def test_every_sentence_is_found_with_something_in_its_gaps(english: str) -> None:
    """And the gaps keep what stood in them, in their order."""
    filled = [f"7{place}" for place in range(english.count("{}"))]
    assert german(english.format(*filled)) == REASONS[english].format(*filled)
