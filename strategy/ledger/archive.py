"""Tables inside of a zip archive that somebody handed over."""

from __future__ import annotations

import io
import zipfile


class ArchiveError(Exception):
    """The archive cannot be unpacked: one sentence."""


def csv_inside(data: bytes, most: int) -> dict[str, bytes]:
    """Its csv files by name; none where together they are larger than `most` bytes. ArchiveError.

    The sizes are looked at before anything is unpacked: a small archive may hold a huge file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = [each for each in archive.infolist() if each.filename.endswith(".csv")]
            if sum(each.file_size for each in inside) > most:
                return {}
            return {each.filename: archive.read(each) for each in inside}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise ArchiveError(f"the archive cannot be unpacked: {error}") from error
