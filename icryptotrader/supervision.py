"""What supervisord's log says about the four programs: events, and the picture they add up to."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

from shared.config import EXIT_BROKEN, EXIT_CONFIG, EXIT_OUTGROWN

EXIT_WORDS: Final = {
    "exit status 0": "it left in order",
    f"exit status {EXIT_BROKEN}": "one of its own invariants was broken",
    f"exit status {EXIT_CONFIG}": "it refuses its configuration",
    f"exit status {EXIT_OUTGROWN}": "it had come near a limit of the machine, and drained",
}

ORDERLY: Final = "exit status 0"
CUT_SHORT: Final = "terminated by SIGTERM"

_PATTERNS: Final = {
    "spawned": re.compile(r"INFO spawned: '(?P<name>\w+)' with pid (?P<how>\d+)$"),
    "running": re.compile(r"INFO success: (?P<name>\w+) entered RUNNING state(?P<how>)"),
    "exited": re.compile(r"(?:INFO|WARN) exited: (?P<name>\w+) \((?P<how>[^;]*);"),
    "stopped": re.compile(r"(?:INFO|WARN) stopped: (?P<name>\w+) \((?P<how>.*)\)$"),
    "given up": re.compile(r"INFO gave up: (?P<name>\w+) entered FATAL state(?P<how>)"),
    "killed": re.compile(r"WARN killing '(?P<name>\w+)' \((?P<how>\d+)\) with SIGKILL$"),
}


class Event(Struct, frozen=True):
    """One thing that happened to a program; kind is a key of the patterns above."""

    kind: str
    name: str
    how: str  # pid, "exit status 70", "terminated by SIGKILL" or ""


class Program(Struct, frozen=True):
    """What is known about one program."""

    pid: int = 0  # 0 while it does not run
    settled: bool = False  # it has run for its startsecs
    starts: int = 0
    ending: str = ""  # how it ended last, "" before
    given_up: bool = False


Programs = dict[str, Program]


def read_event(line: str) -> Event | None:
    """A line of supervisord's log, or None where it says nothing about a program."""
    for kind, pattern in _PATTERNS.items():
        if found := pattern.search(line):
            return Event(kind, found["name"], found["how"])
    return None


def hear(programs: Programs, event: Event) -> Programs:
    """The picture after this event."""
    known = programs.get(event.name, Program())
    match event.kind:
        case "spawned":
            new = msgspec.structs.replace(
                known, pid=int(event.how), settled=False, starts=known.starts + 1
            )
        case "running":
            new = msgspec.structs.replace(known, settled=True)
        case "exited" | "stopped":
            new = msgspec.structs.replace(known, pid=0, ending=event.how)
        case "given up":
            new = msgspec.structs.replace(known, pid=0, given_up=True)
        case _:
            new = known
    return programs | {event.name: new}


def say(programs: Programs, event: Event) -> str:
    """A sentence for the operator about this event; "" where there is nothing to say.

    programs: the picture before the event.
    """
    known = programs.get(event.name, Program())
    match event.kind:
        case "spawned" if known.starts:
            return f"{event.name} is started again (process {event.how})"
        case "exited":
            return f"{event.name} has ended: {explain(event.how)}"
        case "given up":
            return (
                f"{event.name} is given up after {known.starts} failed starts: "
                f"{explain(known.ending)}; see log/{event.name}.jsonl and log/{event.name}.out"
            )
        case "killed":
            return f"{event.name} did not stop in time and is killed"
        case _:
            return ""


def faults_of_stop(programs: Programs) -> list[str]:
    """What was not in order when the house stopped; [] after an orderly drain."""
    found = []
    for name, program in programs.items():
        if program.given_up:
            found.append(f"{name} had been given up: {explain(program.ending)}")
        elif program.pid:
            found.append(f"{name} did not say how it ended")
        elif program.ending not in (ORDERLY, CUT_SHORT):
            # Once a program listens to signals, none of them ends it: what TERM has ended was still
            # being read in, on a slow machine for longer than its startsecs, and had done nothing.
            found.append(f"{name} ended out of order: {explain(program.ending)}")
    return found


def explain(how: str) -> str:
    """ "exit status 78" in words."""
    words = EXIT_WORDS.get(how)
    return f"{how}, {words}" if words else how or "for an unknown reason"
