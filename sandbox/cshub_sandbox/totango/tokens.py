"""Personal access tokens: whose they are, whether they are good, what they may do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from cshub_sandbox.totango.errors import forbidden, unauthenticated
from cshub_sandbox.totango.records import Role, TeamUser, UserStatus
from cshub_sandbox.totango.switches import Region
from cshub_sandbox.totango.tenant import Tenant


@dataclass(frozen=True, slots=True)
class AccessToken:
    """``text`` is opaque to callers. ``expires_at`` None: never expires."""

    text: str
    name: str
    owner: str
    region: Region
    expires_at: datetime | None = None
    revoked: bool = False


class Tokens:
    """All tokens of the tenant, in both regions."""

    def __init__(self, tenant: Tenant, rng: Random) -> None:
        self._tenant = tenant
        self._rng = rng
        self.by_text: dict[str, AccessToken] = {}

    def issue(self, owner: str, name: str, *, region: Region, life: timedelta | None = None) -> AccessToken:
        """A new token of a team member. Raises ``KeyError`` when there is no such member."""
        user = self._tenant.member(owner)
        token = AccessToken(
            text=f"{self._rng.getrandbits(160):040x}{user.email}",
            name=name,
            owner=user.email,
            region=region,
            expires_at=None if life is None else self._tenant.clock.now() + life,
        )
        self.by_text[token.text] = token
        return token

    def named(self, key: str) -> AccessToken:
        """The token with this text or name. Raises ``KeyError``."""
        if key in self.by_text:
            return self.by_text[key]
        region = self._tenant.switches.region
        for token in self.by_text.values():
            if token.name == key and token.region is region:
                return token
        raise KeyError(f"No token {key!r}")

    def revoke(self, key: str) -> AccessToken:
        return self._put(replace(self.named(key), revoked=True))

    def expire(self, key: str, at: datetime) -> AccessToken:
        return self._put(replace(self.named(key), expires_at=at))

    def check(self, text: str | None) -> TeamUser:
        """The owner of a good token. Raises the vendor's 401 for any other text."""
        token = self.by_text.get(text or "")
        if token is None or token.revoked or token.region is not self._tenant.switches.region:
            raise unauthenticated("Invalid token")
        if token.expires_at is not None and token.expires_at <= self._tenant.clock.now():
            raise unauthenticated("The token has expired")
        user = self._tenant.user(token.owner)
        if user is None or user.status is UserStatus.DISABLED:
            raise unauthenticated("Invalid token")
        return user

    def _put(self, token: AccessToken) -> AccessToken:
        self.by_text[token.text] = token
        return token


def require_global_admin(user: TeamUser) -> None:
    """Touchpoint, task and event calls need a global admin's token; anyone else is refused with 403."""
    if user.role is not Role.GLOBAL_ADMIN:
        raise forbidden("This call needs the token of a global admin")
