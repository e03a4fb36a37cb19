"""What a person is told of a file that cannot be read, whoever asks for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from shared.unread import unread


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EACCES, "chmod u+r /a/{b}.csv, or run this as its owner"),
        (errno.ENAMETOOLONG, "look at the name"),
        (errno.EISDIR, "name the files in it"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_the_place_the_reason_and_the_remedy(code: int, remedy: str) -> None:
    told = unread(Path("/a/{b}.csv"), OSError(code, os.strerror(code)))
    assert told.startswith(f"/a/{{b}}.csv: {os.strerror(code)}")
    assert told.endswith(remedy)


def test_a_name_that_is_not_whole_is_told_as_a_whole() -> None:
    told = unread("b.csv", OSError(errno.ENOENT, "No such file or directory"))
    assert told.endswith(f"look at the name, it was looked for at {Path.cwd() / 'b.csv'}")
