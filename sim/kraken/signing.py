"""REST signatures: HMAC-SHA512 of path and SHA-256(nonce + body), under the decoded secret."""

from __future__ import annotations

import base64
import hashlib
import hmac


def sign(secret: str, path: str, nonce: str, body: bytes) -> str:
    """The API-Sign header of a request; `path` as requested, from /0/private/ on."""
    digest = hashlib.sha256(nonce.encode() + body).digest()
    key = base64.b64decode(secret)
    return base64.b64encode(hmac.new(key, path.encode() + digest, hashlib.sha512).digest()).decode()


def is_signed(secret: str, path: str, nonce: str, body: bytes, signature: str) -> bool:
    """Whether a signature is right, compared in constant time."""
    return hmac.compare_digest(sign(secret, path, nonce, body).encode(), signature.encode())
