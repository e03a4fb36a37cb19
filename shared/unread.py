"""Why a file that somebody named cannot be read, and what to do about it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

_REMEDIES: Final = {
    errno.ENOENT: "look at the name{where}",
    errno.ENOTDIR: "look at the name{where}",
    errno.ENAMETOOLONG: "look at the name{where}",
    errno.EISDIR: "name the files in it",
    errno.EACCES: "chmod u+r {path}, or run this as its owner",
    errno.EPERM: "chmod u+r {path}, or run this as its owner",
    errno.ELOOP: "it leads back to itself: name the file",
}


def unread(path: Path | str, error: OSError) -> str:
    """One line: which file, why, and the remedy."""
    whole = Path(path).absolute()
    where = "" if Path(path).is_absolute() else f", it was looked for at {whole}"
    remedy = _REMEDIES.get(error.errno or 0, "").format(path=path, where=where)
    return f"{path}: {error.strerror or error}" + (remedy and f": {remedy}")
