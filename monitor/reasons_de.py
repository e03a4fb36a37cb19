"""What the strategy says, in German: a table of its sentences, figures left open.

Rule 1: the key is the sentence as strategy/core builds it, `{}` for each figure, name or further
sentence in it; a test reads those files and compares. The German one takes them in the same order,
or by number.
"""

from __future__ import annotations

from typing import Final

GRID: Final[dict[str, str]] = {
    # Why a rung stands, and how far apart.
    "rests in the book": "liegt im Buch",
    "rungs {} bps apart{}": "Sprossen {} bps auseinander{}",
    "({})": "({})",
    "the fees' floor": "Untergrenze der Gebühren",
    "kept until {} has seen enough": "bleibt, bis {} genug gesehen hat",
    "the regime quotes {} levels": "in dieser Marktlage {} Sprossen je Seite",
    "wants to lean by {} bps{}": "möchte sich um {} bps neigen{}",
    "(advice {})": "(Rat {})",
    "coins at {}, above target: buys at {}": "Coins bei {}, über dem Ziel: Käufe zu {}",
    "coins at {}, below target: sells at {}": "Coins bei {}, unter dem Ziel: Verkäufe zu {}",
    "{} of the account is this pair's": "{} des Kontos gehört diesem Paar",
    "nothing in the account": "nichts auf dem Konto",
    "coins at most {} of the account": "Coins höchstens {} des Kontos",
    "coins at least {} of the account": "Coins mindestens {} des Kontos",
    "at most {} of the account at a time": "höchstens {} des Kontos auf einmal",
    "hedge: buys at {} in a drawdown of {}": "Absicherung: Käufe zu {} bei einem Rückgang von {}",
    "hedge: sells at {} in a drawdown of {}": (
        "Absicherung: Verkäufe zu {} bei einem Rückgang von {}"
    ),
    # Why a rung has no order.
    "rung {}: {}": "Sprosse {}: {}",
    "no rung needs it": "keine Sprosse braucht ihn",
    "no rung wants it": "keine Sprosse will ihn",
    "its rung is smaller than what has filled": "seine Sprosse ist kleiner als das schon Gefüllte",
    "outside the price collar": "außerhalb der Preisgrenzen",
    "no funds left for it": "kein Geld mehr dafür",
    "no coins left that may be sold": "keine Coins mehr, die verkauft werden dürfen",
    "at or through the ask": "auf oder über dem Briefkurs",
    "at or through the bid": "auf oder unter dem Geldkurs",
    "below the pair's least quantity": "unter der Mindestmenge des Paares",
    "below the pair's least cost": "unter dem Mindestbetrag des Paares",
    "would reach our own sell on another pair": "träfe den eigenen Verkauf eines anderen Paares",
    "would be reached by our own buy on another pair": (
        "würde vom eigenen Kauf eines anderen Paares getroffen"
    ),
    "below an unmatched buy plus fees": "unter einem offenen Kauf samt Gebühren",
    "below grid.lowest": "unter grid.lowest",
    "above grid.highest": "über grid.highest",
    "waits for the exchange's answer": "wartet auf die Antwort der Börse",
    "unknown to us: waits for the exchange's list (missed {} times)": (
        "unbekannt: wartet auf die Liste der Börse ({}-mal nicht darin)"
    ),
    "used by flatten and by an emergency alone": "nur für den Ausstieg und den Notfall",
    "cools down for {} s after a reject": "wartet {} s nach einer Ablehnung",
    "frozen by a fast move": "eingefroren nach schneller Bewegung",
}

GATE: Final[dict[str, str]] = {
    # The order gate.
    "the gate: {}": "die Schranke: {}",
    "waits for the rate counter: {} of {} used": (
        "wartet auf den Ratenzähler: {} von {} verbraucht"
    ),
    "phase is {}": "Phase ist {}",
    "on hold": "angehalten",
    "no fresh book": "kein frisches Orderbuch",
    "the pair is {}": "das Paar ist {}",
    "the dead man's switch does not cover it": "der Totmannschalter deckt ihn nicht",
    "fills that the exchange tells of are not booked yet": (
        "Ausführungen, die die Börse meldet, sind noch nicht gebucht"
    ),
    "limits.open_orders is reached": "limits.open_orders ist erreicht",
    "not on the pair's price or quantity steps": "nicht auf den Preis- oder Mengenschritten",
    "larger than limits.order_quote": "größer als limits.order_quote",
    "would meet an order of our own": "träfe einen eigenen Auftrag",
    "would cross the book": "würde sofort ausgeführt",
    "more than the funds there are": "mehr Geld, als da ist",
    "more than the coins that may be sold": "mehr Coins, als verkauft werden dürfen",
    "coins over {} of the account if all buys fill": (
        "Coins über {} des Kontos, wenn alle Käufe ausgeführt werden"
    ),
    "the book and the exchange's ticker are {} apart": (
        "Orderbuch und Kursmeldung der Börse liegen {} auseinander"
    ),
    "by REST: the outcome of another order is not known yet": (
        "über REST: das Schicksal eines anderen Auftrags ist noch unbekannt"
    ),
    "by REST: our orders were not listed lately": (
        "über REST: die eigenen Aufträge wurden länger nicht aufgelistet"
    ),
    # What stops everything until a person resumes.
    "over {} fills within a minute (limits.fills_per_minute)": (
        "über {} Ausführungen in einer Minute (limits.fills_per_minute)"
    ),
    "over {} fills within an hour (limits.fills_per_hour)": (
        "über {} Ausführungen in einer Stunde (limits.fills_per_hour)"
    ),
    "{} orders refused in a row (limits.rejects_in_a_row)": (
        "{} Aufträge nacheinander abgelehnt (limits.rejects_in_a_row)"
    ),
    "lost {} since the day began ({})": "{} verloren seit Tagesbeginn ({})",
    "killed: {}": "Notaus: {}",
    # The permit, and what is waited for.
    "halted: {} (strategy-ctl resume REASON)": (
        "angehalten: {} (weiter mit strategy-ctl resume GRUND)"
    ),
    "on hold: {} (strategy-ctl resume REASON)": (
        "vom Bediener angehalten: {} (weiter mit strategy-ctl resume GRUND)"
    ),
    "halted: {}": "angehalten: {}",
    "on hold: {}": "vom Bediener angehalten: {}",
    "by the operator": "vom Bediener",
    "pause: {}": "Pause: {}",
    "phase: {}": "Phase: {}",
    "harvest: {}": "Verlustverkauf: {}",
    "the feed has just come back: waiting for it to settle": (
        "der Kursdienst ist eben zurück: wartet, bis er stetig läuft"
    ),
    "the feed is stale: no new quotes": "die Kurse sind alt: nichts Neues wird gestellt",
    "the feed is silent: own orders are cancelled": (
        "der Kursdienst schweigt: eigene Aufträge werden gelöscht"
    ),
    "circuit breaker: the price runs": "Sicherung: der Kurs rennt",
    "the ledger cannot be written: {}": "das Buch kann nicht geschrieben werden: {}",
    "the exchange is {}": "die Börse ist {}",
    "our clock is {} s off the exchange's": "unsere Uhr geht {} s anders als die der Börse",
    "the account's fees are not known yet": "die Gebühren des Kontos sind noch unbekannt",
    "the private line to the exchange": "auf die private Leitung zur Börse",
    "the exchange's list of our orders": "auf die Liste unserer Aufträge von der Börse",
    "{} orders of which nothing certain is known": (
        "auf {} Aufträge, von denen nichts Sicheres bekannt ist"
    ),
    "balances": "auf die Guthaben",
    "the dead man's switch to be armed": "dass der Totmannschalter scharf ist",
    "fees of {}": "auf die Gebühren von {}",
    "precisions of {}": "auf die Genauigkeiten von {}",
    "online": "in Betrieb",
    "maintenance": "in Wartung",
    "starting": "beim Starten",
    "syncing": "beim Abgleichen",
    "trading": "im Handel",
    "draining": "beim Abräumen",
    "stopped": "beendet",
}

TAX: Final[dict[str, str]] = {
    # Selling.
    "tax: no free coins at the front of the queue": "Steuer: vorn in der Reihe ist kein Coin frei",
    "tax: beyond the free coins its gain might pass the room of the year": (
        "Steuer: jenseits der freien Coins könnte sein Gewinn die Luft des Jahres übersteigen"
    ),
    "the gain of the {} it spends might pass the room of the year": (
        "der Gewinn der {}, die er ausgibt, könnte die Luft des Jahres übersteigen"
    ),
    "tax: the pace of the day is spent": "Steuer: das Tempo des Tages ist verbraucht",
    "free of tax today: {}; the pace leaves {} of {} a day": (
        "heute steuerfrei: {}; das Tempo lässt {} von {} am Tag"
    ),
    "free of tax today: {}; beyond it there is room for {} gain": (
        "heute steuerfrei: {}; darüber hinaus ist Luft für {} Gewinn"
    ),
    "free of tax today: {}; {}": "heute steuerfrei: {}; {}",
    "{} EUR of": "{} EUR",
    "any": "jeden",
    "more than the coins that may be sold free of tax": (
        "mehr, als steuerfrei verkauft werden darf"
    ),
    "more than the coins that may be sold: the worst course passes the room of the year": (
        "mehr, als verkauft werden darf: schlimmstenfalls übersteigt es die Luft des Jahres"
    ),
    "a rate is missing: nothing taxable is sold until it is known": (
        "ein Kurs fehlt: bis er bekannt ist, wird nichts Steuerpflichtiges verkauft"
    ),
    "a rate is missing: only free coins are sold until it is known": (
        "ein Kurs fehlt: bis er bekannt ist, werden nur freie Coins verkauft"
    ),
    "waits: a withdrawal takes the oldest coins": (
        "wartet: eine Auszahlung nimmt die ältesten Coins"
    ),
    "a rate is missing: what a sale loses is not known": (
        "ein Kurs fehlt: was ein Verkauf verliert, ist nicht bekannt"
    ),
    "the year has no room left for taxable gains": (
        "das Jahr hat keine Luft mehr für steuerpflichtige Gewinne"
    ),
    "lot {} is free of tax in {} days ({}): not sold before": (
        "Anschaffung {} ist in {} Tagen steuerfrei ({}): vorher kein Verkauf"
    ),
    "{}; waiting saves about {} EUR": "{}; das Warten spart etwa {} EUR",
    # The year.
    "the limit is passed already: every further gain is taxed": (
        "die Freigrenze ist überschritten: jeder weitere Gewinn wird besteuert"
    ),
    "told to go beyond: worth it only from {} EUR on": (
        "darf darüber hinaus: es lohnt sich erst ab {} EUR"
    ),
    "stops at {} EUR: from the limit to {} EUR more is less": (
        "hält bei {} EUR: von der Freigrenze bis {} EUR ist mehr weniger"
    ),
    "lot {} stands at a loss of about {} EUR, which counts only until {}: sell it by then if the "
    "loss is of use": (
        "Anschaffung {} steht mit etwa {} EUR im Verlust, der nur bis {} zählt: bis dahin "
        "verkaufen, wenn er von Nutzen ist"
    ),
    "the year stands at a loss of {} EUR: {}, then forward (declare it)": (
        "das Jahr steht mit {} EUR im Verlust: {}, dann vorgetragen (erklären Sie ihn)"
    ),
    "the carry-back is waived, so all of it goes": "auf den Rücktrag ist verzichtet, also ganz",
    "first into the year before": "erst ins Vorjahr",
    "coins bought from 2027-01-01 on: a draft law would tax them without any holding period; this "
    "program still counts them as free after a year (tax.reform_enacted = false). Ask your tax "
    "adviser whether the law was passed": (
        "Coins ab dem 1.1.2027: nach einem Gesetzentwurf würden sie ohne Haltefrist besteuert; "
        "dieses Programm zählt sie noch als frei nach einem Jahr (tax.reform_enacted = false). "
        "Fragen Sie Ihren Steuerberater, ob das Gesetz beschlossen ist"
    ),
    # Harvesting.
    "brings the net to its target": "bringt das Ergebnis auf sein Ziel",
    "all the loss within reach": "aller Verlust in Reichweite",
    "{} sales for the tax were made today already": (
        "heute gab es schon {} Verkäufe der Steuer wegen"
    ),
    "the year's net of {} EUR is exempt as it is: a loss would be wasted on it": (
        "das Ergebnis des Jahres von {} EUR ist ohnehin frei: ein Verlust wäre vergeudet"
    ),
    "the year's net is a loss already, and none shall be made to carry forward": (
        "das Ergebnis des Jahres ist schon ein Verlust, und zum Vortragen soll keiner entstehen"
    ),
    "wish impossible under FIFO because no taxable lot at a loss is reached: {}": (
        "nach FIFO nicht möglich, denn kein steuerpflichtiger Verlust wird erreicht: {}"
    ),
    "the loss within reach, {} EUR, is below {} EUR": (
        "der erreichbare Verlust, {} EUR, liegt unter {} EUR"
    ),
    "there is none": "es gibt keinen",
    "{} stand before lot {}": "{} stehen vor Anschaffung {}",
    "{}, and {} may be sold": "{}, und {} dürfen verkauft werden",
}

EXITS: Final[dict[str, str]] = {
    "flatten": "Ausstieg",
    "flatten: sells what is free of tax": "Ausstieg: verkauft, was steuerfrei ist",
    "emergency: waits for the end of: {}": "Notfall: wartet auf das Ende von: {}",
    "emergency: waits until the drawdown has stood for 30 s": (
        "Notfall: wartet, bis der Rückgang 30 s lang besteht"
    ),
    "emergency: waits for a second price": "Notfall: wartet auf einen zweiten Kurs",
    "emergency: the book and the ticker are {} apart": (
        "Notfall: Orderbuch und Kursmeldung liegen {} auseinander"
    ),
    "emergency: coins are within {}, which the regime allows": (
        "Notfall: Coins sind innerhalb der {}, die die Marktlage erlaubt"
    ),
    "emergency: sells down to {}": "Notfall: verkauft bis auf {}",
    "drawdown {}": "Rückgang {}",
    "exit ({}): sells {} {} down to {}, from {} lots, gain about {} EUR; {}": (
        "Ausstieg ({}): verkauft {} {} bis hinab zu {}, aus {} Anschaffungen, Gewinn etwa {} EUR; "
        "{}"
    ),
    "exit ({}): sells {} {} down to {}, from {} lots, gain about unknown in EUR, no rate for {}: "
    "{}": (
        "Ausstieg ({}): verkauft {} {} bis hinab zu {}, aus {} Anschaffungen, Gewinn in EUR "
        "unbekannt, kein Kurs für {}: {}"
    ),
    "no known lot": "keine bekannte Anschaffung",
    "expected taxable gain {} EUR: {}": "erwarteter steuerpflichtiger Gewinn {} EUR: {}",
}

ALERTS: Final[dict[str, str]] = {
    "{} refused: {}": "{} abgelehnt: {}",
    "{} filled {} sats more than any history tells of": (
        "{} wurde um {} Sats mehr ausgeführt, als irgendeine Historie meldet"
    ),
    "fill {} of {} not booked: {}": "Ausführung {} von {} nicht gebucht: {}",
    "{} sold {} sats of which no purchase is known": (
        "{} verkaufte {} Sats, von denen keine Anschaffung bekannt ist"
    ),
    "private line down: {}": "private Leitung unterbrochen: {}",
    "exchange: {} -> {}": "Börse: {} -> {}",
    "unknown": "unbekannt",
    "the dead man's switch has run out: syncing anew": (
        "der Totmannschalter hat ausgelöst: es wird neu abgeglichen"
    ),
    "the dead man's switch has run out, as a kill leaves it": (
        "der Totmannschalter hat ausgelöst, wie der Notaus es vorsieht"
    ),
    "the private line stays away: orders go by REST, one by one": (
        "die private Leitung bleibt aus: Aufträge gehen über REST, einer nach dem anderen"
    ),
    "in sync with the exchange: {}": "mit der Börse abgeglichen: {}",
    "{}; no new orders until it is written": "{}; keine neuen Aufträge, bis es geschrieben ist",
    "the ledger is written again; nothing was lost": (
        "das Buch wird wieder geschrieben; nichts ging verloren"
    ),
    "{}; every order of the account is being cancelled, the switch runs out": (
        "{}; jeder Auftrag des Kontos wird gelöscht, der Totmannschalter läuft ab"
    ),
    "killed: no order rests in the account; nothing is quoted until you resume": (
        "Notaus: auf dem Konto liegt kein Auftrag mehr; es wird nichts gestellt, bis Sie fortsetzen"
    ),
    "not drained in time: {} orders unconfirmed, the switch stays armed": (
        "nicht rechtzeitig abgeräumt: {} Aufträge unbestätigt, der Totmannschalter bleibt scharf"
    ),
    "foreign orders rest: the switch stays armed": (
        "fremde Aufträge liegen im Buch: der Totmannschalter bleibt scharf"
    ),
    "drained": "abgeräumt",
    "{} orders of somebody else rest in this account; they are left alone": (
        "{} fremde Aufträge liegen auf diesem Konto; sie bleiben unberührt"
    ),
    "asking for our orders failed: {}": "die Frage nach unseren Aufträgen schlug fehl: {}",
    "{}: no answer about {} while {}": "{}: keine Antwort zu {} im Zustand {}",
    "cancelling {}: no slot owns it": "{} wird gelöscht: kein Platz gehört dazu",
    "{} {} more at the exchange than the ledger accounts for; sells are held; see: strategy-ctl "
    "reconcile": (
        "{} {} mehr an der Börse, als im Buch stehen; Verkäufe ruhen; siehe: strategy-ctl reconcile"
    ),
    "{} {} less at the exchange than the ledger accounts for; sells are held; see: strategy-ctl "
    "reconcile": (
        "{} {} weniger an der Börse, als im Buch stehen; Verkäufe ruhen; siehe: strategy-ctl "
        "reconcile"
    ),
    "balance and ledger agree again": "Guthaben und Buch stimmen wieder überein",
    "the coins at the exchange differ from the ledger: sells are held": (
        "die Coins an der Börse weichen vom Buch ab: Verkäufe ruhen"
    ),
    "moved in or out without a trade: {}; the peak is now {}": (
        "ohne Handel ein- oder ausgegangen: {}; der Höchststand ist nun {}"
    ),
    "grid.levels is {}, but regime.range_bound.grid_levels quotes {}: raise that too (and in "
    "[regime.trending_up], [regime.trending_down])": (
        "grid.levels ist {}, aber regime.range_bound.grid_levels stellt {}: erhöhen Sie auch das "
        "(und in [regime.trending_up], [regime.trending_down])"
    ),
    "only {} of {} buys can stand: {}": "nur {} von {} Käufen können stehen: {}",
    "only {} of {} sells can stand: {}": "nur {} von {} Verkäufen können stehen: {}",
    "the buys need {} {}, there are {}": "die Käufe brauchen {} {}, da sind {}",
    "the sells need {} {} free of tax, there are {}": (
        "die Verkäufe brauchen {} {} steuerfrei, da sind {}"
    ),
    "{} orders are more than limits.open_orders": "{} Aufträge sind mehr als limits.open_orders",
    "the peak was {}, is now {}; the drawdown was {}": (
        "der Höchststand war {}, ist nun {}; der Rückgang war {}"
    ),
    "reset by the operator: {}": "vom Bediener zurückgesetzt: {}",
    "rates of the ECB: {}": "Kurse der EZB: {}",
    # Withdrawals.
    "the withdrawal {} was cancelled: its coins may be sold again": (
        "die Auszahlung {} wurde abgebrochen: ihre Coins dürfen wieder verkauft werden"
    ),
    "booked: a withdrawal of {}": "gebucht: eine Auszahlung von {}",
    "{} {}, the oldest ones ({})": "{} {}, die ältesten ({})",
    "withdrawal of {}: the oldest coins are kept for it": (
        "Auszahlung von {}: die ältesten Coins bleiben dafür liegen"
    ),
    "{} has left": "{} ist abgegangen",
    "{} is on its way": "{} ist unterwegs",
    "withdrawal {} has left and no row of the exchange's ledger names it: icryptotrader ledger "
    "import": (
        "Auszahlung {} ist abgegangen, und keine Zeile der Börse nennt sie: icryptotrader ledger "
        "import"
    ),
    "withdrawals on their way are not known: the key lacks the right 'Query ledger entries', or "
    "the exchange has not answered yet": (
        "Auszahlungen unterwegs sind nicht bekannt: dem Schlüssel fehlt das Recht „Query ledger "
        "entries“, oder die Börse hat noch nicht geantwortet"
    ),
    "{}: own orders are cancelled, then the strategy starts anew": (
        "{}: eigene Orders werden gelöscht, dann beginnt die Strategie von neuem"
    ),
    "{} of {} {} are in use": "{} von {} {} sind belegt",
    "bytes of memory": "Byte Arbeitsspeicher",
    "bytes of address space": "Byte Adressraum",
    "descriptors": "Dateideskriptoren",
}

REPLIES: Final[dict[str, str]] = {
    "on hold: own orders are being cancelled, nothing is quoted": (
        "angehalten: eigene Aufträge werden gelöscht, nichts wird gestellt"
    ),
    "resumed": "fortgesetzt",
    "nothing to resume: neither on hold nor halted": "nichts fortzusetzen: es ist nicht angehalten",
    "cancelling {} own orders; the grid may quote again": (
        "{} eigene Aufträge werden gelöscht; das Gitter darf neu stellen"
    ),
    "every order of the account is being cancelled; halted until you resume": (
        "jeder Auftrag des Kontos wird gelöscht; angehalten, bis Sie fortsetzen"
    ),
    "flatten: selling what is free of tax, then on hold": (
        "Ausstieg: verkauft, was steuerfrei ist, und hält dann an"
    ),
    "selling {} that are free of tax, then on hold": "verkauft {} steuerfreie, hält dann an",
    "cannot sell now: {}": "kann jetzt nicht verkaufen: {}",
    "leans by {} bps, fading ({})": "neigt sich um {} bps, verblassend ({})",
    "{}; NOT on the disk yet: {}": "{}; noch NICHT auf der Platte: {}",
    "{}; not written: {}": "{}; nicht geschrieben: {}",
}

STATES: Final[dict[str, str]] = {
    # Of an order, and of an alert.
    "live": "liegt",
    "empty": "leer",
    "pending_new": "wird gestellt",
    "amend_pending": "wird geändert",
    "cancel_pending": "wird gelöscht",
    "lost": "ungewiss",
    "info": "Hinweis",
    "warning": "Warnung",
    "error": "Fehler",
    "critical": "kritisch",
    # Of the private line, and what was done, with its count before it.
    "down": "unterbrochen",
    "rest": "über REST",
    "adds": "gestellt",
    "amends": "geändert",
    "cancels": "gelöscht",
    "cancel_alls": "Löschen aller",
    "gated": "an der Schranke aufgehalten",
    "post_only": "wären sofort ausgeführt worden",
    "timeouts": "ohne Antwort",
    "rejects": "abgelehnt",
    "refused_add": "Stellen abgelehnt",
    "refused_amend": "Ändern abgelehnt",
    "refused_cancel": "Löschen abgelehnt",
    "line_downs": "Unterbrechungen der Leitung",
    "orphans_cancelled": "herrenlose gelöscht",
    "switch_fired": "Auslösungen des Totmannschalters",
    "by_rest": "Übergänge zu REST",
    "advice": "Ratschläge",
}

REASONS: Final = GRID | GATE | TAX | EXITS | ALERTS | REPLIES | STATES
