"""What a process uses of what it may use, asked by real processes with real limits."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from shared.vitals import Use, memory_limit, too_much


def told_by(code: str) -> str:
    begin = "import os, resource\nfrom shared.vitals import look, too_much\n"
    command = [sys.executable, "-c", begin + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_too_much_is_more_than_four_fifths_of_a_limit_and_never_of_none() -> None:
    assert Use("apples", 81, 100).is_too_much
    assert not Use("apples", 80, 100).is_too_much
    assert not Use("apples", 80, 0).is_too_much
    assert memory_limit() > 0
    assert too_much(memory_limit()) == ""


def test_memory_that_grows_is_noticed_before_it_is_gone() -> None:
    told = told_by("""
        [resident, _] = look(0)
        limit = resident.used + 50_000_000
        assert too_much(limit) == ""
        kept = bytearray(os.urandom(1) * 45_000_000)
        print(too_much(limit))
    """)
    assert told.endswith("bytes of memory are in use")


def test_address_space_and_descriptors_are_noticed_too() -> None:
    told = told_by("""
        [_, space] = look(0)
        resource.setrlimit(resource.RLIMIT_AS, (int(space.used / 0.85), -1))
        print(too_much(10**12))
    """)
    assert told.endswith("bytes of address space are in use")
    told = told_by("""
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        kept = [os.dup(0) for _ in range(30)]
        print(too_much(10**12))
    """)
    assert told.endswith("of 40 descriptors are in use")


def test_with_no_descriptor_left_it_still_says_so() -> None:
    told = told_by("""
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        kept = []
        try:
            while True:
                kept.append(os.dup(0))
        except OSError:
            text = too_much(10**12)
        for descriptor in kept:
            os.close(descriptor)
        print(text)
    """)
    assert told == "20 of 20 descriptors are in use"
