"""`record` in a process of its own, against a publisher of ours."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bus import Publisher
from shared.config import Home
from shared.frames import WIRE, Beat, encode, topic
from shared.recording import read_recording
from shared.units import Ns

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import sys
from pathlib import Path
from icryptotrader.record import record
from shared.config import Home, load
home = Home(Path(sys.argv[1]))
done = record(home, load(home), Path(sys.argv[2]), "0.1.0", most_bytes=int(sys.argv[3]),
              seconds=float(sys.argv[4]))
print(done.frames, done.missed, done.strange, done.why)
"""


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    Home(tmp_path).make()
    made = Publisher(tmp_path / "run" / "feed.pub", tmp_path / "run" / "feed.pub.lock")
    yield made
    made.close()


def start(home: Path, most_bytes: int = 10**8, seconds: float = 60) -> subprocess.Popen[str]:
    arguments = [str(home), str(home / "x.rec"), str(most_bytes), str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def speak(publisher: Publisher, until_bytes: int, path: Path, seq: int = 0) -> int:
    """Publish a beat now and then until the file has grown to that size; the next seq."""
    while not path.exists() or path.stat().st_size < until_bytes:
        beat = Beat(
            Ns(7), seq, Ns(seq), Ns(0), "live", "online", 1, 0, seq, 0, 0, 0, f"{hash(seq * 7919)}"
        )
        publisher.send(topic("feed"), encode(beat))
        publisher.send(topic("feed"), b"no frame of ours")
        seq += 1
        time.sleep(0.002)
    return seq


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_ends_in_order_when_told(
    number: signal.Signals, tmp_path: Path, publisher: Publisher
) -> None:
    recorder = start(tmp_path)
    path = tmp_path / "x.rec"
    speak(publisher, 1_000, path)
    recorder.send_signal(number)
    out, _ = recorder.communicate(timeout=60)
    assert recorder.returncode == 0
    frames, missed, strange, why = out.split()
    assert (missed, why) == ("0", "stopped")
    assert int(strange) > 0
    recording = read_recording(path)
    kept = list(recording)
    assert recording.head.wire == WIRE
    assert recording.head.pairs == ("BTC/EUR",)
    assert len(kept) == int(frames)
    assert recording.torn == ""
    times = [received for received, _, _ in kept]
    assert times == sorted(times)


def test_a_recording_is_readable_after_a_kill(tmp_path: Path, publisher: Publisher) -> None:
    recorder = start(tmp_path)
    path = tmp_path / "x.rec"
    speak(publisher, 1_000, path)
    recorder.kill()
    recorder.communicate(timeout=60)
    assert len(list(read_recording(path))) > 10


def test_a_full_recording_ends_by_itself(tmp_path: Path, publisher: Publisher) -> None:
    recorder = start(tmp_path, most_bytes=500)
    seq = 0
    while recorder.poll() is None:
        seq = speak(publisher, 400, tmp_path / "x.rec", seq)
        publisher.send(topic("feed"), encode(Beat(Ns(7), seq, Ns(0), Ns(0), *BEAT)))
        seq += 1
        time.sleep(0.002)
    assert recorder.communicate()[0].endswith("full\n")


BEAT = ("live", "online", 1, 0, 0, 0, 0, 0, "")


def test_without_a_feed_it_waits_for_its_time(tmp_path: Path) -> None:
    Home(tmp_path).make()
    recorder = start(tmp_path, seconds=0.1)
    out, _ = recorder.communicate(timeout=60)
    assert out == "0 0 0 the time is up\n"
    assert list(read_recording(tmp_path / "x.rec")) == []
