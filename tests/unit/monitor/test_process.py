"""The monitor as a process: it starts, watches, serves and ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.bus import Publisher
from shared.clock import Clock
from shared.config import EXIT_CONFIG, Home
from shared.frames import encode, topic
from tests.unit.monitor.frames import beat, book, instrument, status

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class House:
    """A monitor in a home of its own, and the publishers it listens to."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.home.make()
        self.web, self.metrics = free_port(), free_port()
        self.home.session_file.write_text(
            f"[web]\nport = {self.web}\n[metrics]\nenabled = true\nport = {self.metrics}\n"
        )
        self.process: subprocess.Popen[str] | None = None
        self.publishers: list[Publisher] = []

    def start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "--home", str(self.home.path)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def publisher(self, name: str) -> Publisher:
        path = self.home.run / name
        made = Publisher(path, path.with_suffix(".lock"))
        self.publishers.append(made)
        return made

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        for publisher in self.publishers:
            publisher.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "home")
    yield made
    made.end()


def wait(for_what: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        try:
            if for_what():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_it_shows_what_feed_and_strategy_publish_and_ends_in_order(house: House) -> None:
    feed, strategy = house.publisher("feed.pub"), house.publisher("strategy.pub")
    process = house.start()
    page, metrics = f"http://127.0.0.1:{house.web}", f"http://127.0.0.1:{house.metrics}/metrics"
    wait(lambda: httpx.get(page).status_code == 401)
    token = (house.home.data / "dashboard_token").read_text().strip()
    head = {"Authorization": f"Bearer {token}"}
    assert "has not been heard yet" in httpx.get(page, headers=head).text
    seq = 1

    def told() -> bool:
        nonlocal seq
        now, seq = Clock().now(), seq + 1
        for frame in (instrument(), book(heard_at=now, seq=seq), beat(heard_at=now, seq=seq)):
            feed.send(topic("feed" + type(frame).__name__), encode(frame))
        strategy.send(topic("status"), encode(status(seq=seq)))
        strategy.send(b"1/status", b"no frame of ours")
        data = httpx.get(f"{page}/api/status", headers=head).json()
        return bool(data["strategy"]["up"] and data["feed"]["up"] and data["bus"]["strange"])

    wait(told)
    assert "84999.0 / 85001.0" in httpx.get(page, headers=head).text
    assert "icryptotrader_equity 24753.21" in httpx.get(metrics).text
    wait(lambda: "has been silent" in httpx.get(page, headers=head).text)
    assert 'process_up{process="strategy"} 0.0' in httpx.get(metrics).text
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE_S)[1] == ""
    assert process.returncode == 0
    log = (house.home.log / "monitor.jsonl").read_text()
    assert "monitor is down" in log
    assert token not in log


def test_an_open_visitor_does_not_delay_its_end(house: House) -> None:
    process = house.start()
    wait(lambda: httpx.get(f"http://127.0.0.1:{house.web}").status_code == 401)
    with socket.create_connection(("127.0.0.1", house.web)) as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: local")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_garbage_on_its_ports_does_not_end_it(house: House) -> None:
    house.start()
    wait(lambda: httpx.get(f"http://127.0.0.1:{house.web}").status_code == 401)
    for port in (house.web, house.metrics):
        for garbage in (b"\x00\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 40_000):
            with socket.create_connection(("127.0.0.1", port)) as line:
                line.sendall(garbage)
    assert httpx.get(f"http://127.0.0.1:{house.web}").status_code == 401
    assert httpx.get(f"http://127.0.0.1:{house.metrics}/metrics").status_code == 200


def test_a_port_that_is_taken_is_named_and_ends_it(house: House) -> None:
    with socket.create_server(("127.0.0.1", house.web)):
        process = house.start()
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == EXIT_CONFIG
    assert f"web.port: port {house.web} of 127.0.0.1 cannot be used" in said


def test_a_faulty_configuration_is_said(house: House) -> None:
    house.home.session_file.write_text('[web]\nhost = "0.0.0.0"\n')
    process = house.start()
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == EXIT_CONFIG
    assert "web" in said
    assert len(said.splitlines()) == 1


def test_a_token_that_others_may_read_is_refused(house: House) -> None:
    path = house.home.data / "dashboard_token"
    path.write_text("a token that everybody can read\n")
    path.chmod(0o644)
    process = house.start()
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == EXIT_CONFIG
    assert f"chmod 600 {path}" in said
