"""A home of its own with the command line, and exports of Kraken to read in."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from icryptotrader.cli import app
from shared.config import Home

LEDGERS = """"txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"
"L1","D1","2023-01-02 10:00:00","deposit","","currency","ZEUR",10000.0000,0,10000.0000
"L2","TB1","2023-01-05 12:00:00","trade","","currency","ZEUR",-8000.0000,12.8000,1987.2000
"L3","TB1","2023-01-05 12:00:00","trade","","currency","XXBT",0.5000000000,0,0.5000000000
"L4","TB2","2024-02-01 12:00:00.1234","trade","","currency","ZEUR",-1500.0000,2.4000,484.8000
"L5","TB2","2024-02-01 12:00:00.1234","trade","","currency","XXBT",0.0375000000,0,0.5375000000
"L6","TS1","2024-06-01 12:00:00","trade","","currency","XXBT",-0.5200000000,0,0.0175000000
"L7","TS1","2024-06-01 12:00:00","trade","","currency","ZEUR",32240.0000,51.5840,32673.2160
"","W1","2024-06-02 12:00:00","withdrawal","","currency","XXBT",-0.0050000000,0.0001,""
"L8","W1","2024-06-02 12:00:01","withdrawal","","currency","XXBT",-0.005,0.0001,0.0124000000
"L9","D2","2024-07-01 00:00:00","deposit","","currency","XXBT",0.1000000000,0,0.1124000000
"L10","R1","2024-07-05 00:00:00","staking","","currency","XBT.M",0.0000100000,0,0.0000100000
"""
MANUAL = """id,asset,qty,acquired_at,cost_eur,account,arrived_at,proves
M1,BTC,0.06,2021-03-01,2500.00,,2024-07-01T00:00:00+00:00,L9
"""
TRADES = """txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers
TS1,OS1,XXBTZEUR,2024-06-01 12:00:00,sell,limit,62000.0,32240.00000,51.58400,0.52,0.0,,"L6,L7"
TX9,OX9,XBT/USD,2024-07-08 12:00:00,buy,limit,57000.0,570.00000,0.91200,0.01,0.0,initiated,
"""
RATES = "Date,USD\n2024-07-05,1.0824\n2024-07-08,1.0835\n"


class Desk:
    """A home and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return str(self.folder / name)

    def run(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, "--home", str(self.home.path)])
        assert result.exit_code == code, result.output
        return result.output

    def filled(self) -> Desk:
        files = [self.file("ledgers.csv", LEDGERS), self.file("manual.csv", MANUAL)]
        self.run("ledger", "import", *files, "--apply")
        return self
