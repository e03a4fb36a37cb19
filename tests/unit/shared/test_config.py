"""Layers, faults, older names and secrets of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icryptotrader.config_show import as_json, with_origins
from shared import configdoc
from shared.config import DEFAULTS, ROOT, ConfigError, Home, account_key, load_all, read_secret
from shared.config_layers import SECRET_KEYS, lines_of, read_layer


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def say(home: Home, text: str, mode: int = 0o600) -> Path:
    path = home.path / "user.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def faults(home: Home) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_all(home)
    return caught.value.faults


def test_every_fault_is_told_at_once_with_file_and_line(home: Home) -> None:
    path = say(
        home,
        '[grid]\nlevels = 99\nlevles = 3\norder_size_quote = "much"\n'
        '[tax]\nharvest_min_loss_eur = "-1"\n'
        '[risk]\nmax_portfolio_drawdown_pct = 0.5\n[ws]\ncancel_after_timeout_sec = "60"\n',
    )
    told = faults(home)
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in told] == [
        "3",
        "2",
        "4",
        "10",
        "8",
        "6",
    ]
    assert 'did you mean "grid.levels"?' in told[0]
    assert "must be a whole number <= 20, found 99" in told[1]


def test_a_key_of_a_section_at_the_top_is_sent_home(home: Home) -> None:
    say(home, "levels = 3\n")
    assert '"grid.levels"' in faults(home)[0]


def test_a_word_that_is_none_of_the_known_ones_is_told_them(home: Home) -> None:
    say(home, '[grid]\nanchor = "middle"\n[feed]\ndepth = 7\n')
    told = "\n".join(faults(home))
    assert """grid.anchor: must be one of "vwap", "mid", "blend", found 'middle'""" in told
    assert "feed.depth: must be one of 10, 25, 100, 500, 1000, found 7" in told


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[hedge]\nenabled = true\ntrigger_drawdown_pct = 0.15\n", "hedge.trigger_drawdown_pct"),
        ("[risk]\nprice_velocity_freeze_pct = 0\n", "must be above 0"),
        ("[risk]\nmax_portfolio_drawdown_pct = 0\n", "must be above 0"),
    ],
)
def test_settings_that_would_never_trade_or_never_act_are_refused(
    home: Home, text: str, fault: str
) -> None:
    say(home, text)
    assert fault in faults(home)[0]


def test_a_section_that_is_a_value_is_a_fault(home: Home) -> None:
    say(home, "grid = 3\n")
    assert "write [grid] above it" in faults(home)[0]


def test_the_last_layer_wins_and_is_named(home: Home, tmp_path: Path) -> None:
    named = tmp_path / "mine.toml"
    named.write_text("[grid]\nlevels = 3\nbase_reserve = '0.1'\n")
    path = say(home, "# a comment\n\n[grid]\nlevels = 4\n")
    loaded = load_all(home, named)
    assert loaded.config.grid.levels == 4
    assert loaded.origins["grid.levels"] == f"{path}:4"
    assert loaded.origins["grid.base_reserve"] == f"{named}:3"
    assert loaded.origins["grid.post_only"].startswith("config/default.toml:")
    # What was written and does not count is told: a forgotten user.toml over a file asked for.
    assert loaded.notes == (f"{path}:4: grid.levels goes over what {named}:2 says",)
    shown = with_origins(loaded)
    assert f"# {path}:4" in next(r for r in shown.splitlines() if r.startswith("grid.levels = 4"))


def test_older_names_are_understood_and_said(home: Home) -> None:
    path = say(
        home,
        'pair = "XBT/USD"\npersistence_backend = "json"\n[grid]\norder_size_usd = "250"\n'
        "[tax]\nholding_period_days = 400\nnear_threshold_days = 300\n",
    )
    loaded = load_all(home)
    assert loaded.config.pair == "BTC/USD"
    assert str(loaded.config.grid.order_size_quote) == "250"
    assert loaded.origins["grid.order_size_quote"] == f"{path}:4"
    assert loaded.config.tax.holding_safety_days == 35
    notes = "\n".join(loaded.notes)
    for word in ("older name", "ledger.json", "order_size_quote", "35 days later", "65 days to"):
        assert word in notes


def test_the_older_coin_is_understood_among_several_pairs(home: Home) -> None:
    say(
        home,
        'pair = "XBT/EUR"\n[[pairs]]\nsymbol = "XBT/EUR"\nweight = 0.7\n'
        '[[pairs]]\nsymbol = "BTC/USD"\nweight = 0.3\n',
    )
    loaded = load_all(home)
    assert loaded.config.symbols == ("BTC/EUR", "BTC/USD")
    assert "older name of BTC" in "\n".join(loaded.notes)
    say(home, "[[pairs]]\nsymbol = 7\nweight = 0.7\n")
    assert "pairs" in faults(home)[0]


def test_the_holding_period_can_only_lengthen(home: Home) -> None:
    say(home, "[tax]\nholding_period_days = 10\n")
    loaded = load_all(home)
    assert loaded.config.tax.holding_safety_days == 4
    assert "can only lengthen" in "\n".join(loaded.notes)


def test_an_older_name_beside_the_new_one_is_a_fault(home: Home) -> None:
    say(home, '[grid]\norder_size_usd = "1"\norder_size_quote = "2"\n')
    assert "keep one" in faults(home)[0]


def test_a_secret_stays_in_its_file(home: Home) -> None:
    canary = "canary-secret-0123456789"
    rows = [f"[{k.partition('.')[0]}]\n{k.partition('.')[2]} = '{canary}'" for k in SECRET_KEYS]
    known = [row for row in rows if "api_secret" not in row and "ai_signal" not in row]
    text = "\n".join(known) + "\nusername = 'me'\n"
    say(home, text)
    loaded = load_all(home)
    assert canary not in as_json(loaded.config) + with_origins(loaded) + repr(loaded)
    assert read_secret(home, "telegram.bot_token") == canary
    say(home, text, 0o640)
    told = faults(home)
    assert len(told) == len(known)
    assert all("chmod 600" in line for line in told)
    assert canary not in "\n".join(told)


def test_a_wrong_secret_is_not_repeated_in_its_fault(home: Home) -> None:
    say(home, "[web]\npassword = 12345678\n")
    assert "12345678" not in "\n".join(faults(home))


def test_systemd_credentials_come_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    say(home, "[telegram]\nbot_token = 'from the file'\n[kraken]\napi_key='k'\napi_secret='s'\n")
    folder = home.path / "credentials"
    folder.mkdir()
    (folder / "telegram.bot_token").write_text("from systemd\n")
    (folder / "telegram.bot_token").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert read_secret(home, "telegram.bot_token") == "from systemd"
    assert account_key(home, load_all(home).config).secret == "s"
    (folder / "telegram.bot_token").chmod(0o444)
    with pytest.raises(ConfigError, match="others may read"):
        read_secret(home, "telegram.bot_token")


def test_no_key_at_all_says_what_to_do(home: Home) -> None:
    with pytest.raises(ConfigError, match="icryptotrader setup"):
        account_key(home, load_all(home).config)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"a = ", b"[grid]\n[grid]\n", b"a = 1\na = 2\n"])
def test_what_is_no_toml_is_one_fault_that_names_the_file(home: Home, raw: bytes) -> None:
    path = home.path / "user.toml"
    path.write_bytes(raw)
    (told,) = faults(home)
    assert str(path) in told


def test_a_byte_order_mark_does_no_harm(home: Home) -> None:
    say(home, "\ufeff[grid]\nlevels = 2\n")
    assert load_all(home).config.grid.levels == 2


def test_lines_are_found_across_long_values() -> None:
    text = 'a = """\nb = 1\n"""\nc = [\n  "x]",\n  # d = 3\n]\n[e.f]\ng = {h = 1}\n'
    text += "[[pairs]]\nsymbol = 1\n"
    assert lines_of(text) == {"a": 1, "c": 4, "e.f": 8, "e.f.g": 9, "pairs": 10, "pairs.symbol": 11}


def test_every_default_has_a_line() -> None:
    layer = read_layer(DEFAULTS)
    loaded = load_all(Home(ROOT / "no-such-home"))
    assert all(":" in loaded.origins[key] for key in loaded.origins)
    assert layer.lines["grid.levels"] > 0


def test_the_page_of_settings_is_what_the_structs_say() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert page == configdoc.write(), "run: .venv/bin/python -m shared.configdoc > docs/config.md"


KEYS = sorted(
    key for key in load_all(Home(ROOT / "no-such-home")).origins if key not in SECRET_KEYS
)
WRONG = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KEYS), WRONG)
def test_any_value_is_taken_or_refused_with_its_place(key: str, value: object) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        section, _, name = key.rpartition(".")
        shown = str(value) if isinstance(value, float) else json.dumps(value).replace("\x7f", " ")
        path = say(home, (f"[{section}]\n" if section else "") + f"{name} = {shown}\n")
        try:
            load_all(home)
        except ConfigError as error:
            assert any(f"{path}:{2 if section else 1}:" in fault for fault in error.faults) or any(
                str(path) in fault for fault in error.faults
            )
