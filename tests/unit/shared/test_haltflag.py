"""The halt flag: up until it is lowered, and never up by mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from shared.haltflag import NAME, lower_flag, raise_flag, read_flag

ROOT = Path(__file__).resolve().parents[3]

WITHOUT_DESCRIPTORS = """
import os, resource, sys
from pathlib import Path
from shared.haltflag import read_flag
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
kept = []
try:
    while True:
        kept.append(os.dup(0))
except OSError:
    told = read_flag(Path(sys.argv[1]))
for descriptor in kept:
    os.close(descriptor)
print(told)
"""


def read_without_descriptors(data: Path) -> str:
    command = [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_it_is_up_with_its_reason_until_it_is_lowered(tmp_path: Path) -> None:
    assert read_flag(tmp_path) is None
    raise_flag(tmp_path, "smoke")
    raise_flag(tmp_path, "fire")
    assert read_flag(tmp_path) == "fire"
    lower_flag(tmp_path)
    lower_flag(tmp_path)
    assert read_flag(tmp_path) is None


def test_what_is_there_and_cannot_be_read_counts_as_up(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert "cannot be read" in (read_flag(tmp_path) or "")


def test_without_a_descriptor_left_only_a_flag_that_is_there_is_up(tmp_path: Path) -> None:
    assert read_without_descriptors(tmp_path) == "None"
    raise_flag(tmp_path, "fire")
    assert "cannot be read: Too many open files" in read_without_descriptors(tmp_path)
