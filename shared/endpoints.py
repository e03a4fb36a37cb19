"""Where a house of each mode connects to: the one place that turns a mode into addresses.

Rule 1: in demo and paper the private line and signed REST are our own exchange on this machine,
whatever is configured: no setting can lead a paper order to a real account.
"""

from __future__ import annotations

from msgspec import Struct

from shared.config import Config


class Endpoints(Struct, frozen=True):
    """public, private: WebSocket v2; rest: signed and public REST of the account's exchange."""

    public: str
    private: str
    rest: str


def endpoints(config: Config) -> Endpoints:
    """The addresses of this configuration's mode."""
    demo, kraken = config.demo, config.kraken
    private, rest = (
        f"ws://127.0.0.1:{demo.private_port}/v2",
        f"http://127.0.0.1:{demo.private_port}",
    )
    match config.mode:
        case "demo":
            return Endpoints(f"ws://127.0.0.1:{demo.public_port}/v2", private, rest)
        case "paper":
            return Endpoints(kraken.public_url, private, rest)
        case "live":
            return Endpoints(kraken.public_url, kraken.private_url, kraken.rest_url)
