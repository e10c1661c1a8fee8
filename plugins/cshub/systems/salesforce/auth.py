"""Signing in to Salesforce: which way the connection's fields lead, what they lack, and one token per client."""

from __future__ import annotations

import base64
import logging
import re
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.login import SalesforceLogin

from cshub.core.errors import ConnectionSpecError
from cshub.systems.http import ApiSession
from cshub.systems.salesforce.session import is_plain

log = logging.getLogger(__name__)

DEFAULT_VERSION = "66.0"
SOAP_VERSION = "64.0"  # the last with a SOAP login (docs/vendors/salesforce.md §1.2)
_PUBLIC_DOMAINS = ("login", "test")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:\d+)?")
_VERSION = re.compile(r"[1-9]\d\.0")


class Flow(StrEnum):
    """Ways to sign in, those with a future first (docs/vendors/salesforce.md §1.2)."""

    CLIENT_CREDENTIALS = "client credentials"
    JWT_BEARER = "JWT bearer"
    SESSION = "session id"
    PASSWORD = "username and password (OAuth)"
    SOAP = "username and password (SOAP)"


LEGACY = (Flow.PASSWORD, Flow.SOAP)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a connection holds to sign in with. Secrets are never shown by ``repr``.

    ``domain``: the My Domain, ``acme.my`` or ``acme--uat.sandbox.my``; a whole address is understood. ``private_key``:
    PEM text. ``session_id`` and ``instance_url``: a token that was made elsewhere, and its org's address.
    """

    domain: str = ""
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    private_key_file_path: str = ""
    organization_id: str = ""
    session_id: str = field(default="", repr=False)
    instance_url: str = ""

    @property
    def secrets(self) -> list[str]:
        """All that must never be shown."""
        basic = base64.b64encode(f"{self.consumer_key}:{self.consumer_secret}".encode()).decode()
        found = [self.consumer_secret, self.password, self.security_token, self.private_key, self.session_id]
        if self.consumer_secret:
            found.append(basic)
        return [secret for secret in found if secret]

    def flow(self) -> Flow:
        """The way these fields lead. Raises :class:`ConnectionSpecError` that names what is missing or wrong."""
        has_key = bool(self.private_key or self.private_key_file_path)
        if self.consumer_key and self.consumer_secret and self._own_domain():
            return Flow.CLIENT_CREDENTIALS
        if self.consumer_key and has_key and self.username:
            return Flow.JWT_BEARER
        if self.session_id and self.instance_url:
            return Flow.SESSION
        if self.username and self.password:
            return Flow.PASSWORD if self.consumer_key and self.consumer_secret else Flow.SOAP
        raise ConnectionSpecError(self._lack(has_key=has_key))

    def token_domain(self) -> str:
        """The domain as simple-salesforce wants it: without scheme and ``.salesforce.com``; ``login`` for none."""
        host = _host_of(self.domain, "domain")
        domain = host.removesuffix(".salesforce.com") or "login"
        if not _DOMAIN.fullmatch(domain):
            raise ConnectionSpecError(f"The domain {self.domain!r} is none: write the My Domain, such as acme.my.")
        return domain

    def instance(self) -> str:
        """Host of ``instance_url``."""
        host = _host_of(self.instance_url, "instance URL")
        if not _HOST.fullmatch(host):
            raise ConnectionSpecError(
                f"The instance URL {self.instance_url!r} is none: write https://acme.my.salesforce.com."
            )
        return host

    def address(self) -> str:
        """Where these credentials lead, for messages."""
        return f"https://{self.instance() if self.instance_url else self.token_domain() + '.salesforce.com'}"

    def key_text(self) -> str:
        """The private key as PEM. Raises :class:`ConnectionSpecError` when its file cannot be read."""
        if self.private_key:
            return self.private_key.replace("\\n", "\n").strip() + "\n"
        try:
            return Path(self.private_key_file_path).read_text("ascii")
        except (OSError, ValueError) as error:
            raise ConnectionSpecError(
                f"The private key file {self.private_key_file_path} cannot be read ({type(error).__name__}): correct "
                "the path, as Airflow's workers see it."
            ) from error

    def _own_domain(self) -> bool:
        return bool(self.domain) and self.token_domain() not in _PUBLIC_DOMAINS

    def _lack(self, *, has_key: bool) -> str:
        if self.consumer_key and self.consumer_secret:
            return (
                "The field domain is missing or names no org: client credentials need the My Domain, such as acme.my "
                "(Setup, My Domain)."
            )
        if self.consumer_key and has_key:
            return "The field login (username) is missing: JWT bearer signs in as that user."
        if has_key:
            return "The field consumer_key is missing: JWT bearer needs the key of the app that trusts the certificate."
        if self.consumer_key:
            return (
                "The field consumer_secret is missing (for client credentials), or private_key and login (for JWT "
                "bearer)."
            )
        if self.consumer_secret:
            return "The field consumer_key is missing: it stands beside the secret in the app's settings."
        if self.session_id:
            return "The field instance_url is missing: a session id needs the org's address beside it."
        if self.username:
            return (
                "The field password is missing. Better: sign in with client credentials (domain, consumer_key, "
                "consumer_secret)."
            )
        return (
            "The fields domain, consumer_key and consumer_secret are missing: fill in all three (client credentials)."
        )


def check_version(version: str) -> str:
    """An API version as simple-salesforce wants it. ``v66.0`` and ``66`` are understood."""
    bare = version.strip().lower().removeprefix("v")
    whole = bare if "." in bare else f"{bare}.0"
    if not _VERSION.fullmatch(whole):
        raise ConnectionSpecError(f"The API version {version!r} is none: write {DEFAULT_VERSION}.")
    return whole


class SignIn:
    """The one token of a client: made at the first call, made anew when Salesforce does not take it any more."""

    def __init__(self, credentials: Credentials, *, session: requests.Session, http: ApiSession, version: str) -> None:
        self._credentials = credentials
        self._session = session
        self._http = http
        self._version = version
        self._current: Salesforce | None = None
        self._lock = threading.Lock()

    def current(self) -> Salesforce:
        """Signed in. Raises what signing in raises."""
        with self._lock:
            if self._current is None:
                self._current = self._sign_in()
            return self._current

    def renew(self, refused: Salesforce) -> Salesforce | None:
        """A new one in place of ``refused``, None when these credentials cannot make one. Threads renew it once."""
        if self._credentials.flow() is Flow.SESSION:
            return None
        with self._lock:
            if self._current is refused:
                self._current = None
                self._current = self._sign_in()
        return self.current()

    def _sign_in(self) -> Salesforce:
        flow = self._credentials.flow()
        token, host = self._token(flow)
        self._http.hide(token)
        return Salesforce(
            session_id=token,
            instance=_host_of(host, "instance URL"),
            version=self._version,
            session=self._session,
            object_pairs_hook=None,
        )

    def _token(self, flow: Flow) -> tuple[str, str]:
        its = self._credentials
        if flow in LEGACY:
            log.warning(
                "%s signs in by %s, which Salesforce ends in 2027: change the connection to client credentials.",
                self._http.label,
                flow,
            )
        match flow:
            case Flow.SESSION:
                if not is_plain(its.session_id):
                    raise ConnectionSpecError("The session id must be one line without blanks: copy it again.")
                return its.session_id, its.instance()
            case Flow.CLIENT_CREDENTIALS:
                return SalesforceLogin(
                    session=self._session,
                    domain=its.token_domain(),
                    consumer_key=its.consumer_key,
                    consumer_secret=its.consumer_secret,
                )
            case Flow.JWT_BEARER:
                return self._by_certificate()
            case Flow.PASSWORD:
                return SalesforceLogin(
                    session=self._session,
                    domain=its.token_domain(),
                    username=its.username,
                    password=its.password + its.security_token,
                    consumer_key=its.consumer_key,
                    consumer_secret=its.consumer_secret,
                )
            case Flow.SOAP:
                return SalesforceLogin(
                    session=self._session,
                    domain=its.token_domain(),
                    username=its.username,
                    password=its.password,
                    security_token=its.security_token or (None if its.organization_id else ""),
                    organizationId=its.organization_id or None,
                    sf_version=SOAP_VERSION,
                )

    def _by_certificate(self) -> tuple[str, str]:
        its = self._credentials
        key = its.key_text()
        self._http.hide(key)
        try:
            return SalesforceLogin(
                session=self._session,
                domain=its.token_domain(),
                username=its.username,
                consumer_key=its.consumer_key,
                privatekey=key,
            )
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            wrong = type(error).__name__
        raise ConnectionSpecError(
            f"The private key cannot be used ({wrong}): paste the whole PEM text, from BEGIN to END, of an RSA key "
            "without passphrase."
        )


def _host_of(address: str, what: str) -> str:
    """The host of an address or host. Raises :class:`ConnectionSpecError` for one that serves pages, not the API."""
    text = address.strip().rstrip("/")
    host = (urlsplit(text).netloc if "://" in text else text.split("/")[0]).lower()
    if "@" in host:
        raise ConnectionSpecError(f"The {what} must not hold a user: write it like acme.my.salesforce.com.")
    if host.endswith((".lightning.force.com", ".visualforce.com", ".salesforce-setup.com")):
        name = host.split(".")[0]
        raise ConnectionSpecError(
            f"The {what} {host} serves pages, not the API: write {name}.my.salesforce.com (Setup, My Domain)."
        )
    return host
