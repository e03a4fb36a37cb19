"""The dashboard's and the telephone's words in English and German.

Rule 1: the English text is the key. What the strategy itself says stands in reasons_de.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from monitor.reasons import german

Language = Literal["en", "de"]
Say = Callable[[str], str]

PAUSES: Final[dict[str, str]] = {
    "ACTIVE_TRADING": "buys and sells",
    "TAX_LOCK_ACTIVE": "buys only: no coin may be sold free of tax yet",
    "RISK_PAUSE_ACTIVE": "sells only: the drawdown is too deep to buy more",
    "DUAL_LOCK": "neither buys nor sells: a deep drawdown, and no coin is free of tax",
    "EMERGENCY_SELL": "exits only: the drawdown has reached the emergency mark",
}
REGIMES: Final[dict[str, str]] = {
    "range_bound": "sideways",
    "trending_up": "rising",
    "trending_down": "falling",
    "chaos": "wild: nothing is bought",
}
"""What the strategy's own words of state mean for a person."""

GERMAN: Final[dict[str, str]] = {
    # Head and verdict.
    "signed in as the owner of this machine": "angemeldet als Besitzer dieses Rechners",
    "Sign out": "Abmelden",
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
    # The answers.
    "buys and sells": "kauft und verkauft",
    "buys only: no coin may be sold free of tax yet": (
        "kauft nur: noch darf kein Coin steuerfrei verkauft werden"
    ),
    "sells only: the drawdown is too deep to buy more": (
        "verkauft nur: der Rückgang ist zu tief, um nachzukaufen"
    ),
    "neither buys nor sells: a deep drawdown, and no coin is free of tax": (
        "kauft und verkauft nicht: tiefer Rückgang, und kein Coin ist steuerfrei"
    ),
    "exits only: the drawdown has reached the emergency mark": (
        "verkauft nur noch aus: der Rückgang hat die Notmarke erreicht"
    ),
    "sideways": "seitwärts",
    "rising": "steigend",
    "falling": "fallend",
    "wild: nothing is bought": "wild: es wird nichts gekauft",
    "It {may}. The market is {market}.": "Er {may}. Der Markt ist {market}.",
    "may": "darf",
    "No own order rests.": "Es liegt kein eigener Auftrag im Buch.",
    "resting sells that are not free of tax": "liegende Verkäufe, die nicht steuerfrei sind",
    "No sell rests now; the grid says why.": (
        "Zurzeit liegt kein Verkauf im Buch; das Gitter sagt, warum."
    ),
    "No buy rests now; the grid says why.": (
        "Zurzeit liegt kein Kauf im Buch; das Gitter sagt, warum."
    ),
    "Not known: the strategy is silent.": "Nicht bekannt: die Strategie schweigt.",
    "Nothing is quoted now.": "Zurzeit wird nichts gestellt.",
    "Not known: the strategy has not told its state.": (
        "Nicht bekannt: die Strategie hat ihren Stand nicht genannt."
    ),
    "Look: coins at the exchange and in the ledger differ by {drift}.": (
        "Sehen Sie hin: Coins an der Börse und im Buch weichen um {drift} ab."
    ),
    "The line is not well; the exchange cancels all orders by itself in {left} s.": (
        "Die Leitung ist gestört; die Börse löscht alle Aufträge von selbst in {left} s."
    ),
    "The account stands {fall} % below its peak; the bot holds back.": (
        "Das Konto steht {fall} % unter seinem Höchststand; der Bot hält sich zurück."
    ),
    "The fate of {count} orders is not known yet; the exchange is being asked.": (
        "Das Schicksal von {count} Aufträgen ist noch unbekannt; die Börse wird gefragt."
    ),
    "{count} orders in the account are not the bot's.": (
        "{count} Aufträge im Konto sind nicht vom Bot."
    ),
    "The dead man's switch is not armed: orders would rest if the bot died.": (
        "Der Totmannschalter ist nicht scharf: Aufträge blieben liegen, wenn der Bot stürbe."
    ),
    "Yes: every coin is accounted for, every order is watched.": (
        "Ja: jeder Coin ist verbucht, jeder Auftrag bewacht."
    ),
    "No own order rested when the strategy was last heard.": (
        "Als die Strategie zuletzt zu hören war, lag kein eigener Auftrag im Buch."
    ),
    "Nobody minds {count} orders; the exchange cancels them by itself in {left} s.": (
        "{count} Aufträge sind unbewacht; die Börse löscht sie von selbst in {left} s."
    ),
    "The exchange has cancelled the own orders by itself.": (
        "Die Börse hat die eigenen Aufträge von selbst gelöscht."
    ),
    "Orders may rest at the exchange, and nobody minds them: bot-kill cancels them.": (
        "Aufträge liegen vielleicht unbewacht an der Börse: bot-kill löscht sie."
    ),
    "This year {gain} {currency} before tax, {net} {currency} after tax.": (
        "Dieses Jahr {gain} {currency} vor Steuer, {net} {currency} nach Steuer."
    ),
    "coins held above their cost, not sold": "Coins im Bestand über Einstand, nicht verkauft",
    "has fired": "hat ausgelöst",
    "play money": "Spielgeld",
    "play money, real prices": "Spielgeld, echte Kurse",
    "Page": "Seite",
    "Log, newest first": "Protokoll, das Neueste zuerst",
    "peak": "Höchststand",
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
    "ticks, the last one took": "Takte, der letzte dauerte",
    "per second": "je Sekunde",
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
    "fees of maker and taker": "Gebühren für Maker und Taker",
    "gain of sales this year, before tax": "Gewinn der Verkäufe dieses Jahr, vor Steuer",
    "of these taxable": "davon steuerpflichtig",
    "tax on it, at your rate": "Steuer darauf, zu Ihrem Satz",
    "after tax": "nach Steuer",
    "gain of sales of all years": "Gewinn der Verkäufe aller Jahre",
    "room left under the Freigrenze": "Luft bis zur Freigrenze",
    "coins in resting sells": "Coins in liegenden Verkäufen",
    "kept for withdrawals": "für Auszahlungen zurückgehalten",
    "of it, gain of the dollars that buys spend": "darin Gewinn der Dollar, die Käufe ausgeben",
    "room once they have filled": "Luft, wenn sie ausgeführt sind",
    "at worst": "schlimmstenfalls",
    "coins the pace leaves today": "Coins, die das Tempo heute lässt",
    "days until nothing is free": "Tage, bis nichts mehr steuerfrei ist",
    "rates of the ECB until": "Kurse der EZB bis",
    "none yet": "noch keine",
    "not fetched": "nicht abgerufen",
    "of these not free of tax": "davon nicht steuerfrei",
    "Not known yet.": "Noch nicht bekannt.",
    # Advice of a model.
    "Advice of a model": "Rat eines Sprachmodells",
    "last opinion that stands": "letzte Meinung, die noch gilt",
    "fades within": "verblasst in",
    "expects a market": "erwartet einen Markt",
    "wanted": "gewünscht",
    "the prices lean by": "die Preise neigen sich um",
    "switched off": "ausgeschaltet",
    "none": "keine",
    "model": "Modell",
    "advisor": "Berater",
    "asking": "fragt",
    "waits": "wartet",
    "paused": "pausiert",
    "last answer": "letzte Antwort",
    "faults": "Fehler",
    "answered": "beantwortet",
    "questions": "Fragen",
    "tokens in and out": "Token hin und zurück",
    "cost in all": "Kosten insgesamt",
    "the strategy is silent": "die Strategie schweigt",
    "switched off by strategy-ctl advice off": "ausgeschaltet mit strategy-ctl advice off",
    "the strategy does not trade": "die Strategie handelt nicht",
    "the market's regime does not listen to advice": "in dieser Marktlage zählt kein Rat",
    "the day's budget is used up": "das Budget des Tages ist verbraucht",
    "the breaker is open": "nach Fehlern wird eine Weile nicht gefragt",
    "the cooldown runs": "die Wartezeit läuft",
    "no market to speak of": "kein Markt, über den zu reden wäre",
    # Market.
    "Price, grid and fills": "Kurs, Gitter und Ausführungen",
    "price": "Kurs",
    "anchor": "Anker",
    "buy": "Kauf",
    "sell": "Verkauf",
    "buy orders": "Kaufaufträge",
    "sell orders": "Verkaufsaufträge",
    "bought": "gekauft",
    "sold": "verkauft",
    "As a table": "Als Tabelle",
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
    "Coins by the age of their lots, in days": "Coins nach dem Alter ihrer Anschaffungen, in Tagen",
    "Coins by the day from which on they are free of tax": (
        "Coins nach dem Tag, ab dem sie steuerfrei sind"
    ),
    "Later days": "Spätere Tage",
    "to go": "noch",
    "Free of tax next": "Als Nächstes steuerfrei",
    "day": "Tag",
    "acquired": "angeschafft",
    "left": "übrig",
    "free of tax from": "steuerfrei ab",
    "free": "frei",
    "days": "Tage",
    "The oldest lots": "Die ältesten Anschaffungen",
    "all": "alle",
    # Watchdog.
    "The strategy is slow: one tick took {took} ms.": (
        "Die Strategie ist langsam: ein Takt dauerte {took} ms."
    ),
    "{name} uses much memory: {size} MB.": "{name} braucht viel Speicher: {size} MB.",
    "{name} has many sockets open: more than {count}.": (
        "{name} hat viele Sockets offen: mehr als {count}."
    ),
    "The strategy ticks too seldom: less than once in two seconds.": (
        "Die Strategie taktet zu selten: weniger als einmal in zwei Sekunden."
    ),
    "The strategy ticks without a pause.": "Die Strategie taktet ohne Pause.",
    "another program asks for this bot's messages: make a bot for this one alone": (
        "ein anderes Programm fragt nach den Nachrichten dieses Bots: "
        "richten Sie für diesen einen eigenen ein"
    ),
    "cannot be reached": "ist nicht zu erreichen",
    "the token is not accepted": "das Kennwort des Bots wird nicht angenommen",
    # Health, alerts, log.
    "Processes": "Prozesse",
    "process": "Prozess",
    "heard": "gehört",
    "ago": "her",
    "never": "nie",
    "starts seen": "Starts gesehen",
    "memory": "Speicher",
    "Simulation against the market": "Simulation gegen den Markt",
    "both filled": "beide ausgeführt",
    "really filled": "wirklich ausgeführt",
    "missed": "nicht gesehen",
    "made up": "erfunden",
    "measured": "gemessen",
    "sockets": "Sockets",
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
    return _german if language == "de" else (lambda text: text)


def _german(text: str) -> str:
    return GERMAN.get(text) or german(text)


def choose(asked: str, accepted: str) -> Language:
    """asked: the setting or the visitor's choice; accepted: the browser's Accept-Language."""
    if asked == "de":
        return "de"
    if asked == "en":
        return "en"
    first = accepted.partition(",")[0].strip().lower()
    return "de" if first.startswith("de") else "en"
