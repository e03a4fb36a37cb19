"""The dashboard's and the telephone's words in English and German.

Rule 1: the English text is the key. What the strategy itself says (reasons, alerts) stays English.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

Language = Literal["en", "de"]
Say = Callable[[str], str]

GERMAN: Final[dict[str, str]] = {
    # Head and verdict.
    "signed in as the owner of this machine": "angemeldet als Besitzer dieses Rechners",
    "Sign out": "Abmelden",
    "Language": "Sprache",
    "Is my money safe?": "Ist mein Geld sicher?",
    "What does it do now, and why?": "Was tut er jetzt, und warum?",
    "What did it earn?": "Was hat er verdient?",
    "What must I do?": "Was muss ich tun?",
    "Nothing.": "Nichts.",
    "Skip to the actions": "Zu den Handlungen springen",
    "Last known state; it is old.": "Letzter bekannter Stand; er ist alt.",
    "The monitor does not answer: what stands below is old.": (
        "Der Monitor antwortet nicht: was hier steht, ist alt."
    ),
    "Trading": "Handelt",
    "orders in the book": "Aufträge im Buch",
    "The strategy has begun and has not told its state yet.": (
        "Die Strategie hat begonnen und ihren Stand noch nicht genannt."
    ),
    "The strategy": "Die Strategie",
    "The feed": "Der Kursdienst",
    "has not been heard yet": "war noch nicht zu hören",
    "has been silent for": "schweigt seit",
    "nothing new is quoted": "es wird nichts Neues gestellt",
    "Halted: nothing is quoted until a person resumes.": (
        "Angehalten: es wird nichts gestellt, bis ein Mensch fortsetzt."
    ),
    "On hold by the operator.": "Vom Bediener angehalten.",
    "Waiting": "Wartet",
    "Trading is limited": "Der Handel ist eingeschränkt",
    "The strategy is": "Die Strategie ist",
    "starting": "beim Starten",
    "syncing": "beim Abgleichen",
    "draining": "beim Abräumen",
    "stopped": "beendet",
    "trading": "im Handel",
    "halted": "angehalten",
    # What must I do.
    "Read why it halted, then resume or stop it.": (
        "Lesen Sie, warum er hielt; dann fortsetzen oder beenden."
    ),
    "Start the bot: icryptotrader run": "Starten Sie den Bot: icryptotrader run",
    "See why the feed is silent: icryptotrader doctor": (
        "Sehen Sie nach, warum der Kursdienst schweigt: icryptotrader doctor"
    ),
    "Resume when you are ready.": "Setzen Sie fort, wenn Sie so weit sind.",
    "Coins do not agree with the ledger: strategy-ctl reconcile": (
        "Coins und Buch stimmen nicht überein: strategy-ctl reconcile"
    ),
    "Orders that are not ours rest in the account: the dead man's switch cancels them too.": (
        "Fremde Aufträge liegen im Konto: der Totmannschalter löscht auch sie."
    ),
    "The dead man's switch is about to fire: the line to the exchange is not well.": (
        "Der Totmannschalter löst gleich aus: die Leitung zur Börse ist gestört."
    ),
    "Read the alerts below.": "Lesen Sie die Meldungen unten.",
    # Cards.
    "State": "Zustand",
    "Safety": "Sicherheit",
    "Money": "Geld",
    "phase": "Phase",
    "pause": "Pause",
    "hold": "Halt",
    "yes": "ja",
    "no": "nein",
    "regime": "Marktlage",
    "exchange": "Börse",
    "unknown": "unbekannt",
    "up for": "läuft seit",
    "last tick": "letzter Takt",
    "done": "getan",
    "nothing": "nichts",
    "dead man's switch fires in": "Totmannschalter löst aus in",
    "not armed": "nicht scharf",
    "age of market data": "Alter der Kurse",
    "private line": "private Leitung",
    "own orders": "eigene Aufträge",
    "orders of unknown fate": "Aufträge mit unbekanntem Schicksal",
    "orders of others": "fremde Aufträge",
    "rate counter": "Ratenzähler",
    "of": "von",
    "equity": "Vermögen",
    "drawdown": "Rückgang vom Höchststand",
    "balance": "Guthaben",
    "in the ledger": "im Buch",
    "of these free of tax": "davon steuerfrei",
    "balance less ledger": "Guthaben weniger Buch",
    "fills booked": "gebuchte Ausführungen",
    "fees": "Gebühren",
    "maker": "Maker",
    "taker": "Taker",
    "gain of sales this year, before tax": "Gewinn der Verkäufe dieses Jahr, vor Steuer",
    "of these taxable": "davon steuerpflichtig",
    "tax on it, at your rate": "Steuer darauf, zu Ihrem Satz",
    "after tax": "nach Steuer",
    "gain of sales of all years": "Gewinn der Verkäufe aller Jahre",
    "room left under the Freigrenze": "Luft bis zur Freigrenze",
    "coins in resting sells": "Coins in liegenden Verkäufen",
    "of these would be taxed": "davon wären steuerpflichtig",
    "Not known yet.": "Noch nicht bekannt.",
    # Market.
    "Price, grid and fills": "Kurs, Gitter und Ausführungen",
    "price": "Kurs",
    "anchor": "Anker",
    "buy": "Kauf",
    "sell": "Verkauf",
    "fill": "Ausführung",
    "Equity and drawdown": "Vermögen und Rückgang",
    "The chart begins when two samples are known.": (
        "Das Bild beginnt, sobald zwei Werte bekannt sind."
    ),
    "from": "von",
    "to": "bis",
    "now": "jetzt",
    "no valid book": "kein gültiges Orderbuch",
    "step": "Schritt",
    "volatility": "Schwankung",
    "slot": "Platz",
    "state": "Zustand",
    "quantity": "Menge",
    "filled": "gefüllt",
    "why": "warum",
    "Grid": "Gitter",
    # Fills, lots.
    "Fills": "Ausführungen",
    "None yet.": "Noch keine.",
    "time (UTC)": "Zeit (UTC)",
    "side": "Seite",
    "cost": "Betrag",
    "fee": "Gebühr",
    "Lots and tax": "Anschaffungen und Steuer",
    "lots": "Anschaffungen",
    "No lots.": "Keine Anschaffungen.",
    "coins": "Coins",
    "age in days": "Alter in Tagen",
    "Free of tax next": "Als Nächstes steuerfrei",
    "day": "Tag",
    "acquired": "angeschafft",
    "left": "übrig",
    "free of tax from": "steuerfrei ab",
    "free": "frei",
    "days": "Tage",
    "The oldest lots": "Die ältesten Anschaffungen",
    "all": "alle",
    # Health, alerts, log.
    "Processes": "Prozesse",
    "process": "Prozess",
    "heard": "gehört",
    "ago": "her",
    "never": "nie",
    "starts seen": "Starts gesehen",
    "memory": "Speicher",
    "up": "läuft",
    "silent": "still",
    "feed": "Kursdienst",
    "strategy": "Strategie",
    "monitor": "Monitor",
    "exchange heard": "Börse gehört",
    "checksums": "Prüfsummen",
    "good": "gut",
    "wrong": "falsch",
    "connections, resubscriptions": "Verbindungen, Neuanmeldungen",
    "not understood": "nicht verstanden",
    "waits for": "wartet auf",
    "frames missed by this page": "dieser Seite entgangene Rahmen",
    "Alerts": "Meldungen",
    "None open.": "Keine offen.",
    "Earlier": "Früher",
    "Log": "Protokoll",
    # Actions.
    "Actions": "Handlungen",
    "Hold": "Anhalten",
    "Resume": "Fortsetzen",
    "Cancel all": "Alle löschen",
    "Kill": "Notaus",
    "Own orders are cancelled and nothing is quoted until you resume.": (
        "Eigene Aufträge werden gelöscht, und es wird nichts gestellt, bis Sie fortsetzen."
    ),
    "Ends a hold or a halt.": "Beendet einen Halt.",
    "Own orders are cancelled once; the grid may quote again.": (
        "Eigene Aufträge werden einmal gelöscht; das Gitter darf neu stellen."
    ),
    "Every order of the account is cancelled, those of others too, and the bot halts.": (
        "Jeder Auftrag des Kontos wird gelöscht, auch fremde, und der Bot hält."
    ),
    "Reason, kept in the ledger's audit trail": "Grund; er bleibt im Prüfpfad des Buchs",
    "Type this word to confirm": "Zur Bestätigung dieses Wort eintippen",
    "Do it": "Ausführen",
    "Back": "Zurück",
    "Done": "Ausgeführt",
    "Not done": "Nicht ausgeführt",
    "The word was not typed; nothing was done.": (
        "Das Wort wurde nicht getippt; es ist nichts geschehen."
    ),
    "A reason is needed; nothing was done.": "Ein Grund fehlt; es ist nichts geschehen.",
    "The strategy is not running.": "Die Strategie läuft nicht.",
    "The strategy did not answer in time; look whether it was done.": (
        "Die Strategie antwortete nicht rechtzeitig; sehen Sie nach, ob es geschah."
    ),
    # Login.
    "This page needs a token": "Diese Seite braucht ein Kennwort",
    "It stands in": "Es steht in",
    "on the machine that trades, and can only be read by the user who started it.": (
        "auf dem Rechner, der handelt; lesen kann es nur, wer ihn gestartet hat."
    ),
    "This is not right.": "Das stimmt nicht.",
    "Too many tries. Wait a minute.": "Zu viele Versuche. Warten Sie eine Minute.",
    "Token": "Kennwort",
    "Name": "Name",
    "Password": "Passwort",
    "Show the status": "Zustand zeigen",
}


def words(language: Language) -> Say:
    """Text in this language; what is not ours to translate stays as it is."""
    return (lambda text: GERMAN.get(text, text)) if language == "de" else (lambda text: text)


def choose(asked: str, accepted: str) -> Language:
    """asked: the setting or the visitor's choice; accepted: the browser's Accept-Language."""
    if asked == "de":
        return "de"
    if asked == "en":
        return "en"
    first = accepted.partition(",")[0].strip().lower()
    return "de" if first.startswith("de") else "en"
