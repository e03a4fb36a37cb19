"""What supervisord's log adds up to. The lines are supervisord 4.3's own."""

from __future__ import annotations

import pytest

from icryptotrader.supervision import (
    Event,
    Program,
    Programs,
    faults_of_stop,
    hear,
    read_event,
    say,
)

SPAWNED = "2026-11-21 03:09:08,157 INFO spawned: 'feed' with pid 8514"
RUNNING = (
    "2026-11-21 03:09:12,323 INFO success: feed entered RUNNING state, process has stayed up for "
    "> than 3 seconds (startsecs)"
)
KILLED = "2026-11-21 03:09:13,000 WARN exited: feed (terminated by SIGKILL; not expected)"
REFUSED = "2026-11-21 03:09:13,000 WARN exited: feed (exit status 78; not expected)"
GIVEN_UP = (
    "2026-11-21 03:09:14,000 INFO gave up: feed entered FATAL state, too many start retries too "
    "quickly"
)
STOPPED = "2026-11-21 03:09:15,000 INFO stopped: feed (exit status 0)"
FORCED = "2026-11-21 03:09:15,000 WARN killing 'feed' (8514) with SIGKILL"
FORCED_STOP = "2026-11-21 03:09:15,000 WARN stopped: feed (terminated by SIGKILL)"
EARLY_STOP = "2026-11-21 03:09:15,000 WARN stopped: feed (terminated by SIGTERM)"


def picture(*lines: str) -> Programs:
    programs: Programs = {}
    for line in lines:
        event = read_event(line)
        assert event is not None, line
        programs = hear(programs, event)
    return programs


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (SPAWNED, Event("spawned", "feed", "8514")),
        (RUNNING, Event("running", "feed", "")),
        (KILLED, Event("exited", "feed", "terminated by SIGKILL")),
        (REFUSED, Event("exited", "feed", "exit status 78")),
        (GIVEN_UP, Event("given up", "feed", "")),
        (STOPPED, Event("stopped", "feed", "exit status 0")),
        (FORCED, Event("killed", "feed", "8514")),
    ],
)
def test_each_kind_of_line_is_understood(line: str, event: Event) -> None:
    assert read_event(line) == event


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2026-11-21 03:09:17,442 WARN received SIGTERM indicating exit request",
        "2026-11-21 03:09:17,442 INFO waiting for exchange, feed, strategy to die",
        "2026-11-21 03:09:17,442 CRIT Server 'unix_http_server' running without any HTTP",
    ],
)
def test_lines_about_no_program_are_passed_over(line: str) -> None:
    assert read_event(line) is None


def test_a_program_has_a_pid_while_it_runs() -> None:
    assert picture(SPAWNED)["feed"].pid == 8514
    assert picture(SPAWNED, RUNNING)["feed"].settled
    assert picture(SPAWNED, RUNNING, KILLED)["feed"].pid == 0


def test_an_orderly_stop_has_no_faults() -> None:
    assert faults_of_stop(picture(SPAWNED, RUNNING, STOPPED)) == []


def test_a_crash_that_was_mended_is_no_fault_of_the_stop() -> None:
    assert faults_of_stop(picture(SPAWNED, RUNNING, KILLED, SPAWNED, RUNNING, STOPPED)) == []


def test_a_program_stopped_before_it_listened_to_signals_is_no_fault() -> None:
    assert faults_of_stop(picture(SPAWNED, EARLY_STOP)) == []
    assert faults_of_stop(picture(SPAWNED, RUNNING, EARLY_STOP)) == [], "a slow machine"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((SPAWNED, RUNNING, FORCED, FORCED_STOP), "SIGKILL"),
        ((SPAWNED, RUNNING), "did not say"),
        ((SPAWNED, REFUSED, GIVEN_UP), "refuses its configuration"),
    ],
)
def test_what_was_not_in_order_is_told(lines: tuple[str, ...], said: str) -> None:
    faults = faults_of_stop(picture(*lines))
    assert len(faults) == 1
    assert said in faults[0]


def test_the_first_start_is_not_news_but_a_restart_is() -> None:
    event = Event("spawned", "feed", "8514")
    assert say({}, event) == ""
    assert "again" in say({"feed": Program(starts=1)}, event)


def test_giving_up_says_why_and_where_to_look() -> None:
    text = say(picture(SPAWNED, REFUSED), Event("given up", "feed", ""))
    assert "exit status 78, it refuses its configuration" in text
    assert "log/feed.jsonl" in text
