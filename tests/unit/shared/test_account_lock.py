"""One strategy for one account: two processes, one key; and however the first one ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import account_lock
from shared.account_lock import AccountTaken
from shared.secret import ApiKey

ROOT = Path(__file__).resolve().parents[3]

HOLDER = """
import sys
from shared import account_lock
from shared.secret import ApiKey
held = account_lock.take(ApiKey(sys.argv[1], "unused"))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone_even_by_kill_9(
    tmp_path: Path,
) -> None:
    key, other = ApiKey(str(tmp_path), "a"), ApiKey(f"{tmp_path} other", "a")
    first = subprocess.Popen(
        [sys.executable, "-c", HOLDER, key.key],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    assert account_lock.holder(key) == first.pid
    with pytest.raises(AccountTaken, match=f"process {first.pid} on this machine") as refused:
        account_lock.take(key)
    assert key.key not in str(refused.value)
    account_lock.take(other).close()
    first.kill()
    first.communicate(timeout=30)
    assert account_lock.holder(key) is None
    with account_lock.take(key):
        # However often somebody asks: it stays taken.
        asked = {account_lock.holder(key) for _ in range(200)}
        assert asked <= {os.getpid(), 0}
        with pytest.raises(AccountTaken):
            account_lock.take(key)
    assert account_lock.holder(key) is None
