"""Who is answered, and with what: scripted requests against the two applications."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from monitor.access import Access, TokenError, Tries, is_ours, is_own_origin, read_token
from monitor.around import Around
from monitor.metrics import Metrics
from monitor.style import POLICY
from monitor.view import View, hear
from monitor.web import Desk, Outcome, metrics_app, status_app
from shared.charts import script_file
from shared.control import AnyRequest, CancelOrders, Kill
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import NOW, WALL, status

TOKEN = "a-token-of-more-than-sixteen-characters"
VIEW = hear(View(), status(), NOW, WALL)


class Visitor:
    """A browser without a network: keeps cookies, follows nothing."""

    def __init__(self, app: Starlette, home: str, address: str = "127.0.0.5") -> None:
        line = httpx.ASGITransport(app, client=(address, 50_000))
        self._client = httpx.AsyncClient(transport=line, base_url=home)
        self.cookies = self._client.cookies

    def get(self, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._client.get(path, **how))

    def post(self, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._client.post(path, **how))

    def delete(self, path: str) -> httpx.Response:
        return asyncio.run(self._client.delete(path))


@pytest.fixture
def client() -> Visitor:
    return visitor()


class Bot:
    """What the strategy was asked, and the answer it gives."""

    def __init__(self) -> None:
        self.asked: list[AnyRequest] = []
        self.outcome = Outcome(True, "on hold")

    async def ask(self, request: AnyRequest) -> Outcome:
        self.asked.append(request)
        return self.outcome


async def one_push() -> bool:
    return False


def visitor(bot: Bot | None = None, access: Access | None = None) -> Visitor:
    desk = Desk(lambda: (VIEW, Around(), NOW, WALL), (bot or Bot()).ask, one_push, lambda: "m" * 9)
    app = status_app(desk, access or Access(TOKEN, 8080), "/home/x/dashboard_token")
    return Visitor(app, "http://127.0.0.1:8080")


def test_without_the_token_the_page_says_where_it_is(client: Visitor) -> None:
    answer = client.get("/")
    assert answer.status_code == 401
    assert "/home/x/dashboard_token" in answer.text
    assert "24753" not in answer.text
    for path in ("/events", "/api/status"):
        assert client.get(path).status_code == 401


def test_the_token_in_the_address_is_exchanged_for_a_cookie(client: Visitor) -> None:
    answer = client.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    page = client.get("/")
    assert page.status_code == 200
    assert "24753.21" in page.text
    assert TOKEN not in page.text
    assert client.get("/events").status_code == 200
    assert client.get("/api/status").json()["strategy"]["status"]["phase"] == "trading"


def test_the_form_takes_the_token_as_well(client: Visitor) -> None:
    assert client.post("/", data={"token": "wrong"}).status_code == 401
    assert client.post("/", data={"token": f" {TOKEN} "}).status_code == 303
    assert client.get("/").status_code == 200


def test_a_program_shows_the_token_in_a_header(client: Visitor) -> None:
    good = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/api/status", headers=good).status_code == 200
    for bad in (f"Bearer {TOKEN}x", "Bearer ", "Bearer", f"Basic {TOKEN}", TOKEN, "Bearer \xff"):
        answer = visitor().get("/api/status", headers=[(b"Authorization", bad.encode("latin-1"))])
        assert answer.status_code == 401, bad


@pytest.mark.parametrize(
    "request_of",
    [
        {"params": {"token": "wrong"}},
        {"params": {"token": ""}},
        {"params": {"token": "ü" * 50}},
        {"cookies": {"icryptotrader_8080": "0" * 64}},
        {"cookies": {"icryptotrader_8080": TOKEN}},
    ],
)
def test_a_wrong_token_opens_nothing(
    client: Visitor, request_of: dict[str, dict[str, str]]
) -> None:
    client.cookies.update(request_of.get("cookies", {}))
    assert client.get("/", params=request_of.get("params")).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""]
)
def test_another_host_name_is_not_served(client: Visitor, host: str) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
    for path in ("/", "/events", "/api/status"):
        assert client.get(path, headers=headers).status_code == 421
    assert client.post("/", headers=headers, data={"token": TOKEN}).status_code == 421


def test_a_form_of_another_site_is_refused(client: Visitor) -> None:
    for origin in ("http://evil.example", "null", "https://127.0.0.1.evil.example"):
        answer = client.post("/", headers={"Origin": origin}, data={"token": TOKEN})
        assert answer.status_code == 403
    answer = client.post("/", headers={"Origin": "http://localhost:8080"}, data={"token": TOKEN})
    assert answer.status_code == 303


def test_a_long_form_is_refused(client: Visitor) -> None:
    assert client.post("/", content=b"token=" + b"x" * 5_000).status_code == 413


def test_what_is_not_there_and_what_is_not_allowed(client: Visitor) -> None:
    assert client.get("/etc/passwd").status_code == 404
    assert client.post("/api/status").status_code == 405
    assert client.delete("/").status_code == 405


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else(
    client: Visitor,
) -> None:
    answer = client.get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    policy = answer.headers["content-security-policy"]
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in answer.text
    assert "https:" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert " style=" not in answer.text


@pytest.mark.parametrize("path", ["/", "/act/kill", "/logout"])
def test_a_form_is_read_before_it_is_refused(path: str) -> None:
    """Else the line is cut while the body is on its way, and with it the refusal."""
    desk = Desk(lambda: (VIEW, Around(), NOW, WALL), Bot().ask, one_push, lambda: "m" * 9)
    app = status_app(desk, Access(TOKEN, 8080), "/home/x/dashboard_token")
    seen: list[str] = []

    async def receive() -> dict[str, Any]:
        seen.append("read")
        return {"type": "http.request", "body": b"token=x", "more_body": False}

    async def send(message: Any) -> None:
        seen.append(f"{message['type']} {message.get('status', '')}".strip())

    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": [(b"host", b"evil.example")], "http_version": "1.1",
        "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert seen == ["read", "http.response.start 421", "http.response.body"]


def test_the_chart_library_is_served_from_here_to_who_is_signed_in(client: Visitor) -> None:
    signed_in = {"Authorization": f"Bearer {TOKEN}"}
    (address,) = re.findall(r'<script src="([^"]+)"', client.get("/", headers=signed_in).text)
    assert client.get(address).status_code == 401
    answer = client.get(address, headers=signed_in)
    assert answer.content == script_file().read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-security-policy"] == POLICY
    assert client.get("/library/other.js", headers=signed_in).status_code == 404


def test_the_chart_library_travels_compressed_where_the_browser_can_read_that(
    client: Visitor,
) -> None:
    signed_in = {"Authorization": f"Bearer {TOKEN}"}
    (address,) = re.findall(r'<script src="([^"]+)"', client.get("/", headers=signed_in).text)
    packed = client.get(address, headers=signed_in | {"Accept-Encoding": "gzip"})
    plain = client.get(address, headers=signed_in | {"Accept-Encoding": "identity"})
    assert packed.content == plain.content
    assert 3 * packed.num_bytes_downloaded < plain.num_bytes_downloaded


def test_metrics_need_no_token_but_the_right_host() -> None:
    app = metrics_app(Metrics("bot", lambda: (VIEW, Around(), NOW, WALL)))
    client = Visitor(app, "http://127.0.0.1:9090")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "bot_equity 24753.21" in answer.text
    assert client.get("/metrics", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8080", True),
        ("LOCALHOST:1", True),
        ("[::1]:8080", True),
        ("[::1]", True),
        ("[::1", False),
        ("[", False),
        ("::1", False),
        ("localhost.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_which_host_names_are_ours(host: str | None, ours: bool) -> None:
    assert is_ours(host) is ours
    if host:
        assert is_own_origin(f"http://{host}") is ours


def test_the_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    token = read_token(tmp_path)
    path = tmp_path / "dashboard_token"
    assert len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_token(tmp_path) == token
    path.chmod(0o644)
    with pytest.raises(TokenError, match="chmod 600"):
        read_token(tmp_path)


def test_a_token_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dashboard_token"
    path.touch(0o600)
    with pytest.raises(TokenError, match="shorter than 16"):
        read_token(tmp_path)


OURS = {"Origin": "http://127.0.0.1:8080"}


def sign_in(client: Visitor) -> str:
    """The secret of the page's forms."""
    client.get("/", params={"token": TOKEN})
    found = re.search('name="csrf" value="([0-9a-f]{64})"', client.get("/").text)
    assert found
    return found[1]


def test_an_action_becomes_a_request() -> None:
    bot = Bot()
    client = visitor(bot)
    form = {"csrf": sign_in(client), "word": " KILL ", "reason": "drill"}
    answer = client.post("/act/kill", headers=OURS, data=form)
    assert answer.status_code == 200
    assert "on hold" in answer.text
    (asked,) = bot.asked
    assert isinstance(asked, Kill)
    assert (asked.reason, asked.word) == ("dashboard: drill", "kill")
    client.post("/act/cancel-all", headers=OURS, data=form | {"word": "cancel"})
    assert isinstance(bot.asked[1], CancelOrders)


@pytest.mark.parametrize(
    ("change", "headers", "code"),
    [
        ({"word": ""}, OURS, 409),
        ({"word": "kill"}, OURS, 409),
        ({"reason": " "}, OURS, 409),
        ({"csrf": "0" * 64}, OURS, 403),
        ({"csrf": ""}, OURS, 403),
        ({}, {}, 403),
        ({}, {"Origin": "null"}, 403),
        ({}, {"Origin": "http://127.0.0.1:9999"}, 403),
        ({}, {"Origin": "http://evil.example"}, 403),
        ({}, OURS | {"Host": "evil.example"}, 421),
        ({"reason": "x" * 5000}, OURS, 413),
    ],
)
def test_what_is_not_confirmed_or_not_ours_does_nothing(
    change: dict[str, str], headers: dict[str, str], code: int
) -> None:
    bot = Bot()
    client = visitor(bot)
    form = {"csrf": sign_in(client), "word": "hold", "reason": "drill"} | change
    assert client.post("/act/hold", headers=headers, data=form).status_code == code
    assert bot.asked == []


def test_the_token_in_a_header_reads_but_does_not_act() -> None:
    bot = Bot()
    client = visitor(bot)
    form = {"csrf": sign_in(client), "word": "hold", "reason": "drill"}
    client.cookies.clear()
    bearer = OURS | {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/act/hold", headers=bearer, data=form).status_code == 401
    assert bot.asked == []


def test_an_action_that_is_none_is_not_found() -> None:
    client = visitor()
    form = {"csrf": sign_in(client), "word": "x"}
    assert client.post("/act/flatten", headers=OURS, data=form).status_code == 404


def test_what_the_strategy_refuses_is_said() -> None:
    bot = Bot()
    bot.outcome = Outcome(False, "The strategy is not running.")
    client = visitor(bot)
    form = {"csrf": sign_in(client), "word": "hold", "reason": "drill"}
    answer = client.post("/act/hold", headers=OURS, data=form)
    assert answer.status_code == 409
    assert "Not done" in answer.text


def test_guessing_is_slowed_and_ends_by_itself() -> None:
    client = visitor()
    for _ in range(5):
        assert client.post("/", data={"token": "guess"}).status_code == 401
    assert client.post("/", data={"token": TOKEN}).status_code == 429
    bearer = {"Authorization": "Bearer guess"}
    assert client.get("/api/status", headers=bearer).status_code == 429
    tries = Tries()
    for _ in range(5):
        tries = tries.failed(NOW)
    assert not tries.allows(NOW)
    assert tries.allows(Ns(NOW + 13 * SECOND))


def test_who_guesses_locks_out_himself_and_nobody_else() -> None:
    desk = Desk(lambda: (VIEW, Around(), NOW, WALL), Bot().ask, one_push, lambda: "m" * 9)
    app = status_app(desk, Access(TOKEN, 8080), "/home/x/dashboard_token")
    guesser, owner = (Visitor(app, "http://127.0.0.1:8080", f"127.0.0.{n}") for n in (7, 8))
    for _ in range(9):
        guesser.post("/", data={"token": "guess"})
    assert guesser.post("/", data={"token": TOKEN}).status_code == 429
    assert owner.post("/", data={"token": TOKEN}).status_code == 303
    assert owner.get("/").status_code == 200


def test_a_page_of_the_web_cannot_guess_in_the_owners_name() -> None:
    client = visitor()
    image = {"Sec-Fetch-Site": "cross-site"}
    for _ in range(9):
        assert client.get("/", params={"token": "x"}, headers=image).status_code == 403
    assert client.get("/", params={"token": TOKEN}, headers=image).status_code == 403
    assert client.get("/", params={"token": TOKEN}).status_code == 303


def test_a_name_and_password_open_it_too() -> None:
    access = Access(TOKEN, 8080, "erika", "a long password")
    good = {"username": "erika", "token": "a long password"}
    assert visitor(access=access).post("/", data=good).status_code == 303
    for wrong in ({"username": "x"}, {"token": "a long passwore"}, {"username": ""}):
        assert visitor(access=access).post("/", data=good | wrong).status_code == 401
    assert visitor().post("/", data={"username": "", "token": ""}).status_code == 401
    assert Access(TOKEN, 8080).cookie != access.cookie


def test_the_language_is_kept_in_a_cookie(client: Visitor) -> None:
    sign_in(client)
    assert 'lang="de"' in client.get("/", params={"lang": "de"}).text
    assert 'lang="de"' in client.get("/").text
    assert 'lang="en"' in client.get("/", params={"lang": "<script>"}).text


def test_signing_out_takes_the_cookie_away(client: Visitor) -> None:
    csrf = sign_in(client)
    assert client.post("/logout", headers=OURS).status_code == 403
    assert client.post("/logout", headers=OURS, data={"csrf": csrf}).status_code == 303
    assert client.get("/").status_code == 401
