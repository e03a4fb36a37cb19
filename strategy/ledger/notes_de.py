"""What book and import say of single events, in German, for a report that a German office reads.

Rule: the English sentence is the key; one that no entry fits stays as it is, never half translated.
"""

from __future__ import annotations

import re
from typing import Final

_ORIGINS: Final = {"deposit": "Einzahlung", "reward": "Ertrag", "purchase": "Kauf"}
_SIDES: Final = {"buy": "Kauf", "sell": "Verkauf", "came": "kamen", "went": "gingen"}
_WORDS: Final = _ORIGINS | _SIDES

_SENTENCES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(english), german)
    for english, german in (
        (
            r"(.+): no acquisition is known of (\S+) (\S+)",
            "{0}: von {1} {2} ist keine Anschaffung bekannt",
        ),
        (
            r"(.+): the fee of (\S+) (\S+) is not valued",
            "{0}: die Gebühr {1} {2} ist nicht bewertet",
        ),
        (
            r"(.+): (\S+) (\S+) came as a (\S+) without proof of date or cost",
            "{0}: {1} {2} kamen als {3} ohne Nachweis von Zeitpunkt oder Kosten",
        ),
        (
            r"(.+): more (\S+) was moved than the book knows",
            "{0}: es wurden mehr {1} umgebucht, als das Buch kennt",
        ),
        (
            r"(.+): a trade on margin is not booked .*",
            "{0}: ein Geschäft auf Kredit ist nicht gebucht (§ 23 (1) S. 1 Nr. 3 oder § 20 EStG: "
            "fragen Sie Ihren Steuerberater)",
        ),
        (r"(.+): a trade of (.+) is not booked", "{0}: ein Tausch von {1} ist nicht gebucht"),
        (r"(.+): (\S+) and (\S+) both (came|went)", "{0}: {1} und {2} {3} beide"),
        (r"(\S+): (buy|sell) of (\S+) is not booked", "{0}: {1} von {2} ist nicht gebucht"),
        (
            r"(\S+): (.+) of (\S+) EUR: look at it yourself",
            "{0}: {1} über {2} EUR: bitte selbst ansehen",
        ),
        (r"(\S+): (.+) of (\S+) (\S+) is not booked", "{0}: {1} über {2} {3} ist nicht gebucht"),
        (
            r"(\S+): a withdrawal of (\S+) (\S+) came back, .*",
            "{0}: eine Auszahlung von {1} {2} kam zurück, und ihre erste Zeile fehlt hier: bitte "
            "beide zusammen einlesen",
        ),
        (
            r"coins bought from (\S+) on: a draft law .*",
            "ab {0} angeschaffte Coins: ein Gesetzentwurf würde sie ohne Haltefrist besteuern; "
            "dieses Programm zählt sie noch als nach einem Jahr steuerfrei "
            "(tax.reform_enacted = false). Fragen Sie Ihren Steuerberater, ob das Gesetz "
            "beschlossen ist",
        ),
    )
)


def in_german(sentence: str) -> str:
    """The sentence in German; as it is where it is none of these."""
    for english, german in _SENTENCES:
        if found := english.fullmatch(sentence):
            words = (_WORDS.get(word, word).replace(" and ", " und ") for word in found.groups())
            return german.format(*words)
    return sentence
