"""What `icryptotrader setup` asks, in English and in German, and what it says in the end.

Rule 1: a question in QUESTIONS is a setting of default.toml; what the others are answered with goes
to the file of the key, or into the ledger.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from shared.config_checks import CONSENT

Language = Literal["en", "de"]
Kind = Literal["choice", "text", "secret", "yes"]
Value = str | int | float | bool
Text = tuple[str, str]
"""In English and in German."""


class Question(Struct, frozen=True):
    """One setting. when: asked only while this setting has this value."""

    key: str
    kind: Kind
    text: Text
    choices: tuple[str, ...] = ()
    when: tuple[str, Value] | None = None


TELEGRAM: Final = ("telegram.enabled", True)
LIVE: Final = ("mode", "live")

QUESTIONS: Final = (
    Question(
        "mode",
        "choice",
        (
            "What shall it trade? demo: a made-up market on this machine. paper: Kraken's real "
            "market, but orders and money are simulated here. live: your account, your money.",
            "Was soll gehandelt werden? demo: ein erfundener Markt auf diesem Rechner. paper: der "
            "echte Markt von Kraken, Aufträge und Geld nur simuliert. live: Ihr Konto, Ihr Geld.",
        ),
        ("demo", "paper", "live"),
    ),
    Question(
        "live.consent",
        "text",
        (
            f"Real money can be lost. If you want that, type: {CONSENT}",
            f"Echtes Geld kann verloren gehen. Wenn Sie das wollen, tippen Sie: {CONSENT}",
        ),
        when=LIVE,
    ),
    Question(
        "pair",
        "choice",
        (
            "Which pair? For a German tax payer BTC/EUR is simpler: with BTC/USD each dollar "
            "bought and sold is a tax matter of its own, each leg converted at the ECB's rate.",
            "Welches Paar? Für deutsche Steuerpflichtige ist BTC/EUR einfacher: bei BTC/USD ist "
            "jeder gekaufte und verkaufte Dollar ein eigener Steuerfall, umgerechnet zum EZB-Kurs.",
        ),
        ("BTC/EUR", "BTC/USD"),
    ),
    Question(
        "grid.order_size_quote",
        "text",
        (
            "How much money for each rung of the grid?",
            "Wie viel Geld für jede Sprosse des Gitters?",
        ),
    ),
    Question(
        "grid.levels",
        "text",
        ("How many rungs on each side (0 to 20)?", "Wie viele Sprossen je Seite (0 bis 20)?"),
    ),
    Question(
        "grid.base_reserve",
        "text",
        ("How many bitcoins shall never be sold?", "Wie viele Bitcoin sollen nie verkauft werden?"),
    ),
    Question(
        "tax.marginal_rate",
        "text",
        (
            "Your marginal rate of income tax, as a ratio (0.42 is 42 %)?",
            "Ihr Grenzsteuersatz als Zahl (0.42 sind 42 %)?",
        ),
    ),
    Question(
        "tax.external_s23_net_eur",
        "text",
        (
            "Net gain of your other § 23 disposals this year, in EUR (losses negative)?",
            "Saldo Ihrer anderen Verkäufe nach § 23 in diesem Jahr, in EUR (Verluste negativ)?",
        ),
    ),
    Question(
        "telegram.enabled",
        "yes",
        ("Shall it write to your telephone by Telegram?", "Soll er Ihnen per Telegram schreiben?"),
    ),
    Question(
        "telegram.bot_token",
        "secret",
        ("The bot's token, from @BotFather:", "Das Token des Bots, von @BotFather:"),
        when=TELEGRAM,
    ),
    Question(
        "telegram.chat_id",
        "text",
        ("Your chat's number:", "Die Nummer Ihres Chats:"),
        when=TELEGRAM,
    ),
    Question(
        "telegram.language",
        "choice",
        ("In which language?", "In welcher Sprache?"),
        ("en", "de"),
        when=TELEGRAM,
    ),
)

KEEP_KEY: Final = Question(
    "key.keep",
    "yes",
    (
        "There is a key already (fingerprint {mark}). Keep it?",
        "Es gibt schon einen Schlüssel (Fingerabdruck {mark}). Behalten?",
    ),
)
API_KEY: Final = Question(
    "key.api_key",
    "text",
    (
        "The API key, made at Kraken under Settings, API, with these boxes ticked and no other: "
        "{rights}:",
        "Der API-Schlüssel, bei Kraken unter Einstellungen, API erzeugt, mit diesen Häkchen und "
        "keinem anderen: {rights}:",
    ),
)
API_SECRET: Final = Question(
    "key.api_secret",
    "secret",
    ("Its private part (it is not shown):", "Sein privater Teil (wird nicht angezeigt):"),
)
PAST: Final = Question(
    "past.files",
    "text",
    (
        "Coins that you hold already: Kraken's exports ledgers.csv and trades.csv, with commas "
        "between them (empty: later, by icryptotrader ledger import):",
        "Coins, die Sie schon haben: Krakens Exporte ledgers.csv und trades.csv, durch Komma "
        "getrennt (leer: später, mit icryptotrader ledger import):",
    ),
)
WRITE_PAST: Final = Question(
    "past.apply",
    "yes",
    ("Write this into the ledger?", "Das so ins Steuerbuch schreiben?"),
)
EXTRA: Final = (KEEP_KEY, API_KEY, API_SECRET, PAST, WRITE_PAST)

DONE: Final[Text] = (
    "Written to {path}. Next: icryptotrader doctor, then icryptotrader run{live}.",
    "Geschrieben nach {path}. Weiter: icryptotrader doctor, dann icryptotrader run{live}.",
)
UNASKED: Final[Text] = (
    "{key}: this is no answer to any question; see docs/operations.md, Set-up",
    "{key}: das ist keine Antwort auf eine Frage; siehe docs/operations.md, Set-up",
)
TOO_MUCH: Final[Text] = (
    "this key may do more than trade ({rights}): make one without, and delete this one",
    "dieser Schlüssel darf mehr als handeln ({rights}): machen Sie einen ohne, löschen Sie diesen",
)
TOO_LITTLE: Final[Text] = (
    "this key lacks: {rights}; tick these boxes at Kraken",
    "diesem Schlüssel fehlt: {rights}; setzen Sie diese Häkchen bei Kraken",
)
NOT_TAKEN: Final[Text] = (
    "Kraken does not take this key: {why}",
    "Kraken nimmt diesen Schlüssel nicht: {why}",
)
GOOD_KEY: Final[Text] = (
    "The key may trade and nothing else; its fingerprint is {mark}.",
    "Der Schlüssel darf handeln und sonst nichts; sein Fingerabdruck ist {mark}.",
)
FEES: Final[Text] = (
    "Your fees: maker {maker} %, taker {taker} %. Least order: {least} {quote}. You have: {has}.",
    "Ihre Gebühren: Maker {maker} %, Taker {taker} %. Kleinster Auftrag: {least} {quote}. "
    "Sie haben: {has}.",
)
GRID: Final[Text] = ("The grid of these answers:", "Das Gitter aus diesen Antworten:")
RUNNING: Final[Text] = (
    "the house runs with this key: stop it first, two programs on one key refuse each other",
    "das Haus läuft mit diesem Schlüssel: halten Sie es zuerst an, zwei Programme stören einander",
)
NO_BOT: Final[Text] = (
    "Telegram refuses this token: {why}",
    "Telegram nimmt dieses Token nicht: {why}",
)
UNREACHED: Final[Text] = (
    "(Telegram cannot be reached now; the doctor will ask again)",
    "(Telegram ist jetzt nicht erreichbar; der doctor fragt später)",
)
