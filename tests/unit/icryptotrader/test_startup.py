"""What is checked and settled before anything is started."""

from __future__ import annotations

import socket
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from icryptotrader import housetime, startup
from icryptotrader.banner import banner
from icryptotrader.housetime import Moment
from icryptotrader.startup import NotReadyError, Options
from shared.clock import machine_wall
from shared.config import Home, load, load_running
from shared.config_checks import CONSENT
from shared.process import lock
from shared.units import SECOND
from strategy.ledger.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    place.make()
    return place


def test_a_house_that_needs_nothing_is_ready(home: Home) -> None:
    ready = startup.prepare(home, Options())
    assert ready.config.mode == "demo"
    assert ready.config.clock.wall_anchor >= machine_wall() - 60 * SECOND
    assert load_running(home) == ready.config


def test_the_command_line_wins_for_all_programs(home: Home) -> None:
    startup.prepare(home, Options(market="crashing", speed=4, seed=9, pair="XBT/USD"))
    config = load(home)
    assert (config.demo.market, config.demo.speed, config.demo.seed) == ("crashing", 4, 9)
    assert config.pair == "BTC/USD"


def test_each_note_is_told_once(home: Home) -> None:
    path = home.path / "user.toml"
    path.write_text('pair = "XBT/EUR"\n', encoding="utf-8")
    path.chmod(0o600)
    notes = startup.prepare(home, Options()).notes
    assert sum("older name" in note for note in notes) == 1
    path.unlink()


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_what_belongs_to_a_made_up_market_is_refused_elsewhere(home: Home, mode: str) -> None:
    text = f'mode = "{mode}"\n[live]\nconsent = "{CONSENT}"\n'
    (home.path / "user.toml").write_text(text)
    with pytest.raises(NotReadyError) as caught:
        startup.prepare(home, Options(market="crashing", speed=4, fresh=True))
    told = " ".join(caught.value.faults)
    assert "--market: only" in told
    assert "--speed: only" in told
    assert ("--fresh: a ledger of real trades" in told) == (mode == "live")
    assert not home.session_file.exists(), "a refused run settles nothing"


def test_real_money_is_prepared_only_by_who_asks_for_consent(home: Home) -> None:
    (home.path / "user.toml").write_text(f'mode = "live"\n[live]\nconsent = "{CONSENT}"\n')
    with pytest.raises(NotReadyError, match="--live"):
        startup.prepare(home, Options())
    ready = startup.prepare(home, Options(live=True), lambda *_: "1a2b-3c4d")
    assert ready.config.settled.key_fingerprint == "1a2b-3c4d"
    assert ready.config.clock.wall_anchor == 0, "the machine's clock, which a service keeps"


def test_a_ledger_beside_a_simulated_account_is_never_one_of_real_trades(home: Home) -> None:
    Store.open(home.data / "ledger.sqlite").close()
    (home.path / "user.toml").write_text(f'mode = "live"\n[live]\nconsent = "{CONSENT}"\n')
    startup.prepare(home, Options(live=True), lambda *_: "1a2b-3c4d")
    (home.data / "exchange.sqlite").touch()
    with pytest.raises(NotReadyError, match="begun in demo mode"):
        startup.prepare(home, Options(live=True), lambda *_: "1a2b-3c4d")


def test_live_said_to_a_house_that_is_not_is_a_misunderstanding(home: Home) -> None:
    with pytest.raises(NotReadyError, match='mode = "demo"'):
        startup.prepare(home, Options(live=True))


def test_what_one_run_was_told_the_next_one_forgets(home: Home) -> None:
    startup.prepare(home, Options(speed=4))
    startup.prepare(home, Options())
    assert load(home).demo.speed == 1


def test_the_session_is_the_owners_alone(home: Home) -> None:
    startup.prepare(home, Options())
    assert stat.S_IMODE(home.session_file.stat().st_mode) == 0o600


def test_all_faults_of_a_file_are_told_at_once(home: Home, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[grid]\nlevls = 3\n[demo]\nsped = 2\n")
    with pytest.raises(NotReadyError) as caught:
        startup.prepare(home, Options(config_file=bad))
    assert caught.value.code == 78
    assert len(caught.value.faults) == 2
    assert "levels" in caught.value.faults[0]


def test_a_market_that_is_not_there_is_said_with_the_shapes(home: Home) -> None:
    with pytest.raises(NotReadyError, match=r"no such file.*ranging, trending, crashing"):
        startup.prepare(home, Options(market="nowhere.csv"))


def test_a_market_that_cannot_be_read_names_the_line(home: Home, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("1561939200,100.0,1.0\n1561939201,what,1.0\n")
    with pytest.raises(NotReadyError, match="2"):
        startup.prepare(home, Options(market=str(tape)))


def test_a_tape_is_told_in_words_and_named_absolutely(home: Home, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("1561939200,100.0,1.0\n1561939260,101.0,1.0\n")
    ready = startup.prepare(home, Options(market=str(tape)))
    assert ready.tape == "2 trades over 0:01:00 from 2019-07-01 00:00 UTC"
    assert Path(ready.config.demo.market).is_absolute()


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        (
            "german.csv",
            b"BTC/EUR je Minute\nDatum;Open;High;Low;Close;Volume\n"
            b"01.07.2019 00:00;9.400,5;9.401,0;9.399,5;9.400,0;1,25\n"
            b"01.07.2019 00:01;9.400,0;9.402,0;9.400,0;9.401,5;0,75\n",
            "commas",
        ),
        (
            "excel.csv",
            "sep=,\ntime,open,high,low,close\n1561939200,9400,9401,9399,9400\n"
            "1561939260,9400,9402,9400,9401\n".encode("utf-16"),
            "",
        ),
        (
            "ohlc.json",
            b'{"error":[],"result":{"XXBTZEUR":[[1561939200,"9400","9401","9399","9400","0","1",3],'
            b'[1561939260,"9400","9402","9400","9401","0","2",5]],"last":1561939260}}',
            "",
        ),
        (
            "btcusd_bars.csv",
            b"1561939200,9400,9401,9399,9400,1\n1561939260,9400,9402,9400,9401,2\n"
            b"1561939260,9400,9402,9400,9401,2\n",
            "line 3: time repeats",
        ),
    ],
)
def test_a_market_may_be_whatever_a_backtest_reads(
    home: Home, tmp_path: Path, name: str, content: bytes, note: str
) -> None:
    (tmp_path / name).write_bytes(content)
    ready = startup.prepare(home, Options(market=str(tmp_path / name)))
    assert ready.tape == "2 bars of 60 s over 0:02:00 from 2019-07-01 00:00 UTC"
    told = [line for line in ready.notes if line.startswith("market: ")]
    assert note in " ".join(told)
    assert any("its name says USD" in line for line in told) == name.startswith("btcusd")


def test_a_market_that_is_a_folder_or_a_knot_of_links_is_refused(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "knot").symlink_to(tmp_path / "knot")
    with pytest.raises(NotReadyError, match="Is a directory: name the files in it"):
        startup.prepare(home, Options(market=str(tmp_path)))
    with pytest.raises(NotReadyError, match="no such file"):
        startup.prepare(home, Options(market=str(tmp_path / "knot")))
    with pytest.raises(NotReadyError, match="market: "):
        startup.prepare(home, Options(market="~nobody-of-that-name/market.csv"))


def test_a_taken_port_is_replaced_and_told(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        taken = other.getsockname()[1]
        config = home.path / "port.toml"
        config.write_text(f"[demo]\npublic_port = {taken}\n")
        ready = startup.prepare(home, Options(config_file=config))
    assert ready.config.demo.public_port != taken
    assert sum(str(taken) in note for note in ready.notes) == 1
    assert load(home).demo.public_port == ready.config.demo.public_port


def test_two_servers_are_never_given_one_port(home: Home) -> None:
    config = home.path / "port.toml"
    config.write_text("[demo]\npublic_port = 18710\nprivate_port = 18710\n")
    demo = startup.prepare(home, Options(config_file=config)).config.demo
    assert demo.public_port != demo.private_port


def test_no_free_port_at_all_is_a_fault(home: Home) -> None:
    (home.path / "user.toml").write_text("[metrics]\nenabled = true\n")
    config = startup.prepare(home, Options()).config
    _, _, faults = startup.find_ports(config, lambda _host, _port: False)
    assert len(faults) == 4
    assert all("no free port" in fault for fault in faults)


def test_fresh_puts_account_and_ledger_away_together(home: Home) -> None:
    (home.data / "ledger.sqlite").write_text("old")
    (home.data / "exchange.sqlite").write_text("old")
    startup.prepare(home, Options(fresh=True))
    assert not any(home.data.iterdir())
    [place] = (home.path / "data-archive").iterdir()
    assert sorted(p.name for p in place.iterdir()) == ["exchange.sqlite", "ledger.sqlite"]


def test_fresh_twice_in_a_second_loses_nothing(home: Home) -> None:
    for text in ("first", "second"):
        (home.data / "ledger.sqlite").write_text(text)
        assert startup.archive(home)
    kept = sorted((home.path / "data-archive").rglob("ledger.sqlite"))
    assert {path.read_text() for path in kept} == {"first", "second"}


def test_fresh_with_nothing_there_archives_nothing(home: Home) -> None:
    startup.prepare(home, Options(fresh=True))
    assert not (home.path / "data-archive").exists()


def test_a_faulty_start_archives_nothing(home: Home) -> None:
    (home.data / "ledger.sqlite").write_text("kept")
    with pytest.raises(NotReadyError):
        startup.prepare(home, Options(fresh=True, market="nowhere.csv"))
    assert (home.data / "ledger.sqlite").read_text() == "kept"


def test_house_time_goes_on_after_a_fast_run(home: Home) -> None:
    ahead = machine_wall() + 3600 * SECOND
    moment = Moment(ahead, 0, housetime.read_boot_id(), 20, True)
    housetime.save(home.data / "clock.toml", moment)
    config = startup.prepare(home, Options()).config
    assert config.make_clock().wall() > ahead
    assert startup.house_moment(config, closed=True).wall > ahead


def test_a_second_house_in_one_home_is_refused_by_name(home: Home) -> None:
    held = startup.own_the_house(home)
    with pytest.raises(NotReadyError, match=r"already running .*process \d+") as caught:
        startup.own_the_house(home)
    assert caught.value.code == 1
    held.release()
    startup.own_the_house(home).release()


def test_survivors_of_a_killed_run_are_named(home: Home) -> None:
    held = lock(home.run / "feed.lock")
    assert list(startup.survivors(home)) == ["feed"]
    held.release()
    assert startup.survivors(home) == {}


@given(some.text(some.characters(blacklist_categories=("Cs",), blacklist_characters="\x00")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_path_survives_the_session_file(home: Home, name: str) -> None:
    startup.write_session(home, {"config_file": name}, {"demo": {"market": name, "seed": 3}})
    read = tomllib.loads(home.session_file.read_text(encoding="utf-8"))
    assert read == {"config_file": name, "demo": {"market": name, "seed": 3}}


def test_a_demo_sells_at_its_own_pace_unless_a_person_set_one(home: Home) -> None:
    """The day's part of the free coins would be sold within minutes of so lively a market."""
    assert startup.prepare(home, Options()).config.tax.pace_days == 0
    (home.path / "user.toml").write_text("[tax]\npace_days = 10\n")
    ready = startup.prepare(home, Options())
    assert ready.config.tax.pace_days == 10
    assert "spread over 10 days" in "\n".join(banner(ready.config, home, ready.tape, []))
    (home.path / "user.toml").write_text('mode = "paper"\n')
    assert load_running(home).tax.pace_days == 10


def test_the_banner_says_what_trades_and_where_to_look(home: Home) -> None:
    (home.path / "user.toml").write_text("[metrics]\nenabled = true\n")
    ready = startup.prepare(home, Options(seed=42))
    text = "\n".join(banner(ready.config, home, ready.tape, ["a note"]))
    for said in ("seed 42", "volatility 250 %", "maker 0.12 %", "400 days", "39 bps", "BTC/EUR"):
        assert said in text
    assert "sold as it goes" in text
    for place in ("/?token=", "/metrics", "guest_key.toml", "strategy-ctl status", "a note"):
        assert place in text
