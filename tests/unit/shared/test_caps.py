"""Hard caps: the tighter holds, looser is refused, nothing unreadable passes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.caps import HardCaps, looser, read_caps, tighten, to_fact
from shared.config import ROOT, ConfigError
from tests.unit.strategy.core.build import CONFIG

SHIPPED = read_caps(ROOT / "config" / "hard_caps.toml")
some_caps = st.builds(
    HardCaps,
    order_quote=st.decimals(1, 10**6, places=2),
    open_orders=st.integers(1, 300),
    collar_pct=st.floats(0.01, 1.0),
    fills_per_minute=st.integers(1, 1000),
    fills_per_hour=st.integers(1, 10_000),
    rejects_in_a_row=st.integers(1, 100),
    daily_loss_quote=st.decimals(1, 10**6, places=2),
    btc_max_pct=st.floats(0.0, 1.0),
)


def test_the_shipped_caps_bind_no_shipped_limit() -> None:
    assert tighten(CONFIG, SHIPPED) == (CONFIG, [])


@given(some_caps)
def test_no_limit_is_ever_above_its_cap_nor_above_what_was_configured(caps: HardCaps) -> None:
    tight, bound = tighten(CONFIG, caps)
    for name in HardCaps.__struct_fields__:
        limit, cap, asked = (getattr(each, name) for each in (tight.limits, caps, CONFIG.limits))
        assert limit == min(cap, asked)
        assert (name in bound) == (cap < asked)
    assert tighten(tight, caps) == (tight, [])


@given(some_caps, some_caps)
def test_looser_is_named_field_by_field_and_only_that(before: HardCaps, after: HardCaps) -> None:
    named = [text.partition(" ")[0] for text in looser(to_fact(before), after)]
    assert named == [
        name for name in HardCaps.__struct_fields__ if getattr(after, name) > getattr(before, name)
    ]
    assert looser(to_fact(before), before) == []
    assert looser("", after) == []


def test_a_record_that_cannot_be_read_is_no_leave() -> None:
    assert looser("garbage", SHIPPED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('order_quote = "5000"', 'order_quote = "NaN"'),
        ('order_quote = "5000"', 'order_quote = "-1"'),
        ('order_quote = "5000"', ""),
        ("open_orders = 80", "open_orders = 0"),
        ("open_orders = 80", "open_order = 80"),
        ("collar_pct = 0.20", "collar_pct = 20"),
        ("btc_max_pct = 0.95", "btc_max_pct = = 1"),
    ],
)
def test_what_is_wrong_with_the_file_is_a_fault_of_the_configuration(
    tmp_path: Path, old: str, new: str
) -> None:
    text = (ROOT / "config" / "hard_caps.toml").read_text()
    assert old in text
    path = tmp_path / "caps.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match="hard caps"):
        read_caps(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_caps(tmp_path / "none.toml")


def test_what_was_kept_comes_back_exactly() -> None:
    odd = replace(SHIPPED, order_quote=Decimal("1234.5600"))
    assert looser(to_fact(odd), odd) == []
    assert looser(to_fact(odd), replace(odd, order_quote=Decimal("1234.5601")))
