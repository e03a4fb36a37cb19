"""The doctor's checks of the house: configuration, processes, ledger, logs, Telegram."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from icryptotrader.caps import show_caps
from icryptotrader.doctor.findings import PROGRAMS, Finding, Patient, fail, ok, skip, warn
from icryptotrader.tax.rates import LATE_DAYS, days_behind
from monitor.advisor.providers import is_key
from monitor.rates import is_wanted
from shared.belonging import MODE_FACT, stranger
from shared.clock import machine_wall
from shared.config import ConfigError, read_secret
from shared.haltflag import read_flag
from shared.process import holder
from shared.units import SECOND
from strategy.ledger.records import LedgerError, open_readonly

BACKUP_AGE_H: Final = 26
LOG_MB: Final = 1_000
ASK_S: Final = 5.0
TAKEN: Final = 409


def configuration(patient: Patient) -> Finding:
    if patient.faults:
        more = f" (and {len(patient.faults) - 1} more)" if len(patient.faults) > 1 else ""
        return fail(patient.faults[0] + more, "run: icryptotrader config check")
    return ok("the configuration has no faults")


def provenance(patient: Patient) -> Finding:
    """Where the settings come from that are no defaults."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    changed = {
        key: place
        for key, place in patient.loaded.origins.items()
        if not place.startswith("config/default.toml")
    }
    files = sorted({place.rpartition(":")[0] or place for place in changed.values()})
    if not changed:
        return ok("every setting is its default")
    return ok(f"{len(changed)} settings from {', '.join(files)}; config show --origin names each")


def notes(patient: Patient) -> Finding:
    if patient.loaded is None:
        return skip("the configuration has faults")
    if patient.loaded.notes:
        return warn("; ".join(patient.loaded.notes), "docs/config.md says what each setting does")
    return ok("no older names, nothing that is not acted on")


def processes(patient: Patient) -> Finding:
    if patient.starting:
        return skip("nothing is started yet")
    run = patient.home.run
    up = [name for name in PROGRAMS if holder(run / f"{name}.lock")]
    house = holder(run / "house.lock")
    if not house and not up:
        return skip("nothing runs in this home; start it with: icryptotrader run")
    if not house:
        text = f"without `run`: {', '.join(up)}"
        return warn(text, "they drain by themselves; wait, then start again")
    if "strategy" not in up:
        return fail("the strategy does not run", "look into log/strategy.jsonl")
    return ok(f"running: {', '.join(up)}")


def answers(patient: Patient) -> Finding:
    if not patient.running:
        return skip("the strategy does not run")
    if patient.status is None:
        return fail("the strategy runs but does not answer", "look into log/strategy.stacks")
    waits = "; ".join(patient.status.get("waits_for") or ())
    phase = patient.status.get("phase")
    if phase == "halted":
        return fail(f"halted: {waits}", "read why, then: strategy-ctl resume REASON")
    if phase != "trading" or waits:
        return warn(f"{phase}: {waits or 'not trading yet'}", "strategy-ctl status")
    return ok("trading")


def halt_flag(patient: Patient) -> Finding:
    why = read_flag(patient.home.data)
    if why is not None:
        text, remedy = f"the halt flag is up: {why}", "when it is safe: strategy-ctl resume REASON"
        # A halted house must start to be resumed; it starts halted.
        return warn(text, remedy) if patient.starting else fail(text, remedy)
    return ok("the halt flag is not up")


def ledger(patient: Patient) -> Finding:
    path = patient.home.data / "ledger.sqlite"
    if not path.exists():
        return skip("there is no ledger yet")
    try:
        loaded = open_readonly(path)
    except (LedgerError, OSError) as error:
        return fail(f"{error}", "icryptotrader ledger verify; restore a backup")
    return ok(f"{loaded.fills} fills, the chain and the lots agree")


def ledger_mode(patient: Patient) -> Finding:
    """Simulated and real trades never share a tax book."""
    path = patient.home.data / "ledger.sqlite"
    if patient.loaded is None or not path.exists():
        return skip("there is no ledger yet")
    try:
        kept = open_readonly(path, last=0).facts.get(MODE_FACT, "")
    except (LedgerError, OSError):
        return skip("the ledger cannot be read")
    if stranger(kept, patient.config.mode):
        text = f"the ledger was begun in {kept} mode, the configuration says {patient.config.mode}"
        return fail(text, "another home for this mode: --home DIR")
    return ok(f"the ledger is one of {kept} mode" if kept else "the ledger belongs to no mode yet")


def hard_caps(patient: Patient) -> Finding:
    """Whether the caps above all settings are there, and no looser than those that hold."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    try:
        code, lines = show_caps(patient.home)
    except ConfigError as error:
        return fail("; ".join(error.faults), "put config/hard_caps.toml back")
    if code:
        return fail(lines[-1], "tighten them, or: icryptotrader caps accept REASON")
    return ok("the hard caps hold")


def backups(patient: Patient) -> Finding:
    if not (patient.home.data / "ledger.sqlite").exists():
        return skip("there is no ledger yet")
    found = sorted((patient.home.path / "backups").glob("**/*.sqlite*"))
    remedy = "enable deploy/icryptotrader-backup.timer, or: icryptotrader ledger backup"
    if not found:
        return warn("there is no backup of the ledger", remedy)
    age_h = (machine_wall() / SECOND - max(p.stat().st_mtime for p in found)) / 3600
    if age_h > BACKUP_AGE_H:
        return warn(f"the newest backup is {age_h:.0f} hours old", remedy)
    return ok(f"the newest backup is {age_h:.0f} hours old")


def stacks(patient: Patient) -> Finding:
    """Traces that a watchdog or a crash left behind."""
    found = [p.name for p in sorted(patient.home.log.glob("*.stacks")) if p.stat().st_size]
    found += [p.name for p in sorted(patient.home.log.glob("*.trace")) if p.stat().st_size]
    if found:
        remedy = "icryptotrader support-bundle collects them; then delete them"
        return warn(f"left behind in log/: {', '.join(found)}", remedy)
    return ok("no process left a trace of a crash")


def log_size(patient: Patient) -> Finding:
    paths = [*patient.home.log.glob("*"), *(patient.home.data / "journal").glob("*")]
    size_mb = sum(path.stat().st_size for path in paths if path.is_file()) // 1_000_000
    if size_mb > LOG_MB:
        return warn(f"logs and journals hold {size_mb:,} MB", "move the oldest journals away")
    return ok(f"logs and journals hold {size_mb:,} MB")


def rates(patient: Patient) -> Finding:
    """BTC/USD needs the ECB's rates of each day; a demo in euros needs none."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    foreign = [symbol for symbol in patient.config.symbols if not symbol.endswith("/EUR")]
    if not is_wanted(patient.config) and not foreign:
        return ok("all money is in euros: no exchange rates are needed")
    try:
        late = days_behind(patient.home)
    except LedgerError as error:
        return skip(str(error))
    remedy = "let the monitor fetch them (tax.rates_fetch), or: icryptotrader tax rates FILE"
    if late is None:
        return warn("no rate of the ECB is known", remedy)
    if late > LATE_DAYS:
        return warn(f"the ECB's rates are {late} days behind: no final report", remedy)
    if foreign:
        text = f"rates are known; {', '.join(foreign)} makes dollars a second tax ledger"
        return warn(text, "BTC/EUR avoids it; docs/tax.md, Dollars")
    return ok("the ECB's rates are known up to the last days")


def telegram(patient: Patient) -> Finding:
    """Who the bot is, and whether another program takes its messages (409)."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    config = patient.config.telegram
    if not config.enabled:
        return skip("Telegram is not enabled")
    try:
        token = read_secret(patient.home, "telegram.bot_token")
        me = _bot(config.api_url, token, "getMe")
        hook = _bot(config.api_url, token, "getWebhookInfo")
        # Without an offset it takes nothing from anybody.
        ours = holder(patient.home.run / "monitor.lock")
        taken = {} if ours else _bot(config.api_url, token, "getUpdates?limit=1&timeout=0")
    except ConfigError as error:
        return fail("; ".join(error.faults), "icryptotrader setup")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # Trading never waits for a messenger.
        return warn(f"Telegram does not answer: {type(error).__name__}", "check the network")
    if not me.get("ok"):
        text = f"Telegram refuses the token: {me.get('description', '')}"
        return fail(text, "make a new token with @BotFather and put it into user.toml")
    if hook.get("result", {}).get("url"):
        return fail("a webhook takes this bot's messages", "make a bot for iCryptoTrader alone")
    if taken.get("error_code") == TAKEN:
        text = "another program takes this bot's messages (409)"
        return fail(text, "end it, or make a bot for iCryptoTrader alone")
    return ok(f"the bot is @{me.get('result', {}).get('username', '?')}")


def _bot(url: str, token: str, method: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/bot{token}/{method}", timeout=ASK_S, trust_env=False)
    found = answer.json()
    return found if isinstance(found, dict) else {}


def advice(patient: Patient) -> Finding:
    """Whether a model can be asked at all; it is not asked here: that costs money."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    signal = patient.config.ai_signal
    if not signal.enabled:
        return skip("no model is asked (ai_signal.enabled)")
    remedy = "put the provider's key into user.toml (chmod 600) or a systemd credential"
    try:
        key = read_secret(patient.home, "ai_signal.api_key")
    except ConfigError as error:
        return fail("; ".join(error.faults), remedy)
    if not is_key(key):
        return fail("ai_signal.api_key is missing or is no key", remedy)
    off = ((patient.status or {}).get("advice") or {}).get("off")
    if off:
        return warn(f"advice is switched off: {off}", "strategy-ctl advice on REASON")
    return ok(f"{signal.provider}/{signal.model} is asked; its key is given")


def year_end(patient: Patient) -> Finding:
    """The weeks in which a person may want to look at the tax year."""
    today = datetime.fromtimestamp(machine_wall() // SECOND, UTC).date()
    if today.month == 12:
        return warn("the tax year ends this month", "look at the dashboard's room; docs/tax.md")
    if today.month <= 7:
        return ok(f"the report of {today.year - 1}: icryptotrader tax report {today.year - 1}")
    return ok("the tax year is not near its end")


HOUSE_CHECKS: Final[tuple[tuple[str, Callable[[Patient], Finding]], ...]] = (
    ("configuration", configuration),
    ("provenance", provenance),
    ("older settings", notes),
    ("processes", processes),
    ("strategy", answers),
    ("halt flag", halt_flag),
    ("ledger", ledger),
    ("ledger's mode", ledger_mode),
    ("hard caps", hard_caps),
    ("backups", backups),
    ("crash traces", stacks),
    ("logs", log_size),
    ("exchange rates", rates),
    ("telegram", telegram),
    ("advice", advice),
    ("tax year", year_end),
)
