"""Sessions of users, and the passwords and the application by which they are opened."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cshub_sandbox.salesforce.errors import invalid_session

_TOKEN_LETTERS = string.ascii_letters + string.digits + "._"
_KEY_BITS = 2_048


@dataclass(slots=True)
class Session:
    """One login. ``token`` is what the caller sends."""

    token: str
    user_id: str
    opened_at: datetime
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user types: the security token is appended to the password."""

    password: str
    security_token: str


class ConnectedApp:
    """The application of the org: client credentials run as ``run_as``; assertions are checked with its key."""

    def __init__(self, rng: Random, *, run_as: str) -> None:
        self.client_id = "3MVG9" + "".join(rng.choices(_TOKEN_LETTERS, k=80))
        self.client_secret = f"{rng.getrandbits(256):064X}"
        self.run_as: str | None = run_as
        self._public_key: str | None = None
        self._private_key: str | None = None

    @property
    def private_key(self) -> str:
        """PEM of the key that signs assertions; made when it is first asked for."""
        return self._private_key or self.new_private_key()

    @property
    def public_key(self) -> str | None:
        """PEM of the certificate's key; None as long as no key was made."""
        return self._public_key

    def new_private_key(self) -> str:
        """A fresh key instead of the one before; gives its PEM."""
        key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)
        self._public_key = (
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
        )
        self._private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        return self._private_key


class Sessions:
    """All sessions of one org, by token."""

    def __init__(self, rng: Random, org_id: str) -> None:
        self._rng = rng
        self._org_id = org_id
        self._by_token: dict[str, Session] = {}

    def open(self, user_id: str, now: datetime) -> Session:
        """A new session of the user."""
        token = f"{self._org_id[:15]}!" + "".join(self._rng.choices(_TOKEN_LETTERS, k=80))
        session = Session(token, user_id, now)
        self._by_token[token] = session
        return session

    def check(self, token: str, now: datetime, *, life_s: float) -> Session:
        """The session behind a token. Raises the 401 of the vendor when there is none any more."""
        if not self.is_open(token, now, life_s=life_s):
            raise invalid_session()
        return self._by_token[token]

    def is_open(self, token: str, now: datetime, *, life_s: float) -> bool:
        """Whether the token still opens the door."""
        session = self._by_token.get(token)
        return session is not None and not session.revoked and now < session.opened_at + timedelta(seconds=life_s)

    def expire(self, *, token: str | None = None, user_id: str | None = None) -> int:
        """Ends the session with this token, those of one user, or all; gives how many ended."""
        ended = 0
        for session in self._by_token.values():
            meant = token in (None, session.token) and user_id in (None, session.user_id)
            if meant and not session.revoked:
                session.revoked, ended = True, ended + 1
        return ended
