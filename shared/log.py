"""JSON log lines: through a bounded queue and one writer thread to a rotating file.

Rule 1: logging never blocks the loop; when the queue is full the oldest lines go, and are counted.
Rule 2: a registered secret appears in no line, whoever wrote it: message, field or traceback.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from shared.clock import machine_wall
from shared.config import Home
from shared.console import Follower as Follower
from shared.console import render as render

QUEUE_LINES: Final = 10_000
FILE_BYTES: Final = 10_000_000
FILES_KEPT: Final = 5
FLUSH_S: Final = 2.0

LIBRARY_LEVELS: Final = {
    # At INFO httpx writes whole addresses, at DEBUG websockets writes frames with the token.
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "websockets": logging.INFO,
    "uvicorn.access": logging.WARNING,
    "asyncio": logging.WARNING,
}

MASK: Final = b"***"

_secrets: list[bytes] = []
_writer: _Writer | None = None


def setup(process: str, home: Home, level: str = "INFO") -> None:
    """Send everything this process logs to home.log/<process>.jsonl (mode 0600).

    level: DEBUG, INFO, WARNING or ERROR. Also catches what libraries log and what nobody catches.
    Each line has ts (wall clock of the machine, RFC 3339 UTC with ms), level, process and event.
    """
    global _writer
    close()
    _writer = _Writer(process, home.log / f"{process}.jsonl", _write_line(process))
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _Renderer(process),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Sink(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge(process)]
    root.setLevel(number)
    for name, least in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(max(least, number))
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda given: _log_uncaught(
        given.exc_type, given.exc_value or given.exc_type(), given.exc_traceback
    )
    atexit.register(flush)


def get() -> FilteringBoundLogger:
    """The logger: `log.info("fill", side="buy", price="84500.0")`."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def redact(secret: str) -> None:
    """Never let this text into a log line, plain, percent-encoded or escaped as JSON."""
    if not secret:
        return
    escaped = msgspec.json.encode(secret)[1:-1]
    for form in (secret.encode(), quote(secret, safe="").encode(), escaped):
        if form not in _secrets:
            _secrets.append(form)
    # The longest first: one secret may be a part of another.
    _secrets.sort(key=len, reverse=True)


def redacted(text: str) -> str:
    """Text for another way out (a screen, a reply) with the same secrets masked."""
    return _mask(text.encode(errors="backslashreplace")).decode(errors="replace")


def flush(at_most_s: float = FLUSH_S) -> bool:
    """Wait until what was logged is in the file; False if that took longer."""
    return _writer is None or _writer.flush(at_most_s)


def close() -> None:
    """Flush, end the writer thread and close the file; logging goes nowhere until `setup`."""
    global _writer
    if _writer is not None:
        _writer.stop(FLUSH_S)
        _writer = None


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        get().critical("uncaught exception", exc_info=(kind, error, trace))
        if _writer is None or sys.stderr.isatty():
            # Started by hand, or the log is closed: better a pipe that may block than silence.
            sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace))))
    flush()


class _Sink:
    """What structlog calls last, with the finished line; every level ends here."""

    def msg(self, line: bytes) -> None:
        if _writer is not None:
            _writer.put(line)

    debug = info = warning = error = critical = msg


class _Renderer:
    """structlog's last processor: an event becomes one redacted JSON line."""

    def __init__(self, process: str) -> None:
        self._write = _write_line(process)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> tuple[Any, Any]:
        level = str(event.pop("level", "info"))
        return (self._write(level, str(event.pop("event", "")), dict(event)),), {}


class _Bridge(logging.Handler):
    """What libraries log, as lines of the same shape."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._write = _write_line(process)

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        if _writer is not None:
            _writer.put(self._write(record.levelname.lower(), text, fields))


def _write_line(process: str) -> Callable[[str, str, dict[str, Any]], bytes]:
    def write(level: str, event: str, fields: dict[str, Any]) -> bytes:
        head = {"ts": _stamp(machine_wall()), "level": level, "process": process, "event": event}
        # What stands in the head is not overwritten by a field of the same name.
        return _mask(_encode(head | {k: v for k, v in fields.items() if k not in head})) + b"\n"

    return write


def _encode(line: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(line, enc_hook=repr)
    except (TypeError, ValueError, RecursionError, UnicodeEncodeError):
        # A value that is no JSON in some depth: better its repr than no line.
        return json.dumps({str(k): repr(v) for k, v in line.items()}).encode()


def _mask(line: bytes) -> bytes:
    for secret in _secrets:
        if secret in line:
            line = line.replace(secret, MASK)
    return line


def _stamp(wall_ns: int) -> str:
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


class _Writer:
    """The queue and its thread. The thread alone touches the file."""

    def __init__(
        self, process: str, path: Path, write: Callable[[str, str, dict[str, Any]], bytes]
    ) -> None:
        self._path = path
        self._line = write
        self._queue: deque[bytes] = deque()
        self._dropped = 0
        # Reentrant: a signal handler may log while a line is being put.
        self._guard = threading.RLock()
        self._work = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._ending = False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = _open(path)
        self._thread = threading.Thread(target=self._run, name=f"log-{process}", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        with self._guard:
            if len(self._queue) >= QUEUE_LINES:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(line)
            self._idle.clear()
        self._work.set()

    def flush(self, at_most_s: float) -> bool:
        return self._idle.wait(at_most_s)

    def stop(self, at_most_s: float) -> None:
        self._ending = True
        self._work.set()
        self._thread.join(at_most_s)
        if not self._thread.is_alive():
            os.close(self._file)

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            ending = self._ending
            self._write_all()
            if ending:
                return

    def _write_all(self) -> None:
        with self._guard:
            lines = list(self._queue)
            self._queue.clear()
            dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(self._line("warning", "log lines dropped", {"count": dropped}))
        try:
            self._store(b"".join(lines))
        except OSError:
            # A full or broken disk must not stop the trading; the loss is told when it is back.
            with self._guard:
                self._dropped += len(lines) - bool(dropped) + dropped
        with self._guard:
            if not self._queue:
                self._idle.set()

    def _store(self, data: bytes) -> None:
        if data and os.fstat(self._file).st_size + len(data) > FILE_BYTES:
            self._rotate()
        while data:
            data = data[os.write(self._file, data) :]

    def _rotate(self) -> None:
        for age in range(FILES_KEPT - 1, 0, -1):
            younger = Path(f"{self._path}.{age - 1}") if age > 1 else self._path
            if younger.exists():
                younger.rename(f"{self._path}.{age}")
        fresh = _open(self._path)
        os.close(self._file)
        self._file = fresh


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
