"""Scripted attacks on the monitor as it runs: what is refused, what goes on, what stays untold."""

from __future__ import annotations

import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import httpx
import pytest

from icryptotrader.bundle import write_bundle
from tests.unit.monitor.test_process import House, wait

CANARIES: Final = {
    "web.password": "canary-of-the-password-0123",
    "telegram.bot_token": "123456789:canary-of-the-telegram-bot-0123456789",
    "ai_signal.api_key": "canary-of-the-model-0123456789",
}
HALF_LINES: Final = 300
TIMEOUT_S: Final = 30.0


class Refuser(BaseHTTPRequestHandler):
    """A Bot API that takes no token, so that the bot has something to complain about."""

    asked: Final = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.asked.set()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("attacked") / "home")
    api = ThreadingHTTPServer(("127.0.0.1", 0), Refuser)
    serving = threading.Thread(target=api.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    own = made.home.path / "user.toml"
    own.touch(0o600)
    own.write_text(
        f'[web]\nusername = "erika"\npassword = "{CANARIES["web.password"]}"\n'
        f'[telegram]\nenabled = true\nbot_token = "{CANARIES["telegram.bot_token"]}"\n'
        f'chat_id = "42"\napi_url = "http://127.0.0.1:{api.server_address[1]}"\n'
        f'[ai_signal]\napi_key = "{CANARIES["ai_signal.api_key"]}"\n'
    )
    made.start()
    try:
        wait(lambda: httpx.get(url(made)).status_code == 401)
        yield made
    finally:
        made.end()
        api.shutdown()
        api.server_close()
        serving.join()


def url(house: House) -> str:
    return f"http://127.0.0.1:{house.web}"


def token_of(house: House) -> str:
    return (house.home.data / "dashboard_token").read_text().strip()


def bearer(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(house)}"}


def send(house: House, text: bytes) -> bytes:
    """The whole answer to these bytes; b"" where the line is cut."""
    with socket.create_connection(("127.0.0.1", house.web), TIMEOUT_S) as line:
        answer = b""
        try:
            line.sendall(text)
            while piece := line.recv(65_536):
                answer += piece
        except ConnectionError:
            pass
        return answer


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd", "/act/..%2F..%2Fapi%2Fstatus", "/etc/passwd%00",
        "http://evil.example/", "/data/dashboard_token", "/api/../data/dashboard_token",
    ],
)  # fmt: skip
def test_no_path_leads_out_even_for_who_is_signed_in(house: House, path: str) -> None:
    text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = send(house, f"{text}Authorization: Bearer {token_of(house)}\r\n\r\n".encode())
    assert answer.split()[1] in (b"400", b"404", b"405")
    assert b"root:" not in answer
    assert token_of(house).encode() not in answer


@pytest.mark.parametrize(
    ("hosts", "code"),
    [
        (("evil.example",), b"421"),
        (("localhost", "evil.example"), b"400"),
        ((), b"400"),
        (("127.0.0.1.evil.example:8080",), b"421"),
    ],
)
def test_a_name_that_is_not_this_machines_gets_nothing(
    house: House, hosts: tuple[str, ...], code: bytes
) -> None:
    """DNS rebinding: the browser thinks that the page belongs to somebody else's name."""
    head = "".join(f"Host: {host}\r\n" for host in hosts)
    text = f"GET /api/status HTTP/1.1\r\n{head}Connection: close\r\n"
    answer = send(house, f"{text}Authorization: Bearer {token_of(house)}\r\n\r\n".encode())
    assert answer.split()[1] == code


@pytest.mark.parametrize("path", ["/", "/act/kill", "/logout", "/api/status"])
def test_a_huge_body_is_neither_kept_nor_waited_for(house: House, path: str) -> None:
    announced = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n"
    answer = send(house, announced.encode() + b"x" * 2_000_000)
    assert not answer or answer.split()[1] in (b"401", b"405", b"413")
    assert httpx.get(url(house), timeout=TIMEOUT_S).status_code == 401


def test_hundreds_of_half_asked_questions_keep_nobody_waiting(house: House) -> None:
    lines = []
    try:
        for number in range(HALF_LINES):
            line = socket.create_connection(("127.0.0.1", house.web), TIMEOUT_S)
            lines.append(line)
            half = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\ntok"
            line.sendall(half if number % 2 else b"GET / HTTP/1.1\r\nHost: loc")
        page = httpx.get(url(house), headers=bearer(house), timeout=TIMEOUT_S)
        assert page.status_code == 200
        assert httpx.get(f"http://127.0.0.1:{house.metrics}/metrics").status_code == 200
    finally:
        for line in lines:
            line.close()


def test_another_site_can_neither_sign_in_nor_act(house: House) -> None:
    evil = {"Origin": "http://evil.example"}
    form = {"token": token_of(house)}
    assert httpx.post(url(house), data=form, headers=evil).status_code == 403
    with httpx.Client(base_url=url(house)) as owner:
        assert owner.post("/", data=form).status_code == 303
        page = owner.get("/").text
        csrf = page.partition('name="csrf" value="')[2][:64]
        act = {"csrf": csrf, "word": "kill", "reason": "x"}
        assert owner.post("/act/kill", data=act, headers=evil).status_code == 403
        assert owner.post("/act/kill", data=act, headers={"Origin": "null"}).status_code == 403
        bare = {"Origin": url(house)}
        assert owner.post("/act/kill", data=act | {"csrf": ""}, headers=bare).status_code == 403


def test_secrets_are_told_nowhere(house: House, tmp_path: Path) -> None:
    """Page, data, metrics, what is pushed, all logs, the bundle for who helps."""
    assert Refuser.asked.wait(TIMEOUT_S)
    with httpx.Client(base_url=url(house)) as owner:
        wrong = {"username": "erika", "token": "not-this"}
        said = [owner.post("/", data=wrong).text, owner.get("/").text]
        right = {"username": "erika", "token": CANARIES["web.password"]}
        assert owner.post("/", data=right).status_code == 303
        said += [owner.get("/").text, owner.get("/api/status").text]
        assert "is not accepted" in said[-1] or wait_for_trouble(owner)
        with owner.stream("GET", "/events") as events:
            said.append(next(events.iter_text()))
    said.append(httpx.get(f"http://127.0.0.1:{house.metrics}/metrics").text)
    said += [path.read_text(errors="replace") for path in house.home.log.iterdir()]
    bundle = tmp_path / "bundle.zip"
    write_bundle(house.home, bundle)
    with zipfile.ZipFile(bundle) as archive:
        said += [archive.read(name).decode(errors="replace") for name in archive.namelist()]
    assert len(said) > 10
    for name, secret in {**CANARIES, "the token": token_of(house)}.items():
        assert not [text[:200] for text in said if secret in text], name


def wait_for_trouble(owner: httpx.Client) -> bool:
    """Until the bot's trouble is known: it is told without its token."""
    wait(lambda: "is not accepted" in owner.get("/api/status").text)
    return True


def test_after_all_of_it_the_same_process_lives(house: House) -> None:
    assert house.process
    assert house.process.poll() is None
    assert httpx.get(url(house), headers=bearer(house)).status_code == 200
