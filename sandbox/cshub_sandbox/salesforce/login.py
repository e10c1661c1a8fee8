"""OAuth logins and what a session may ask about itself (docs/vendors/salesforce.md §1.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.salesforce.errors import MEDIA_TYPE, LoginRefused, SalesforceError
from cshub_sandbox.salesforce.org import DOMAIN, Org
from cshub_sandbox.salesforce.sessions import Session
from cshub_sandbox.salesforce.state import shown
from cshub_sandbox.salesforce.switches import AssertionClock

LOGIN_HOST = "https://login.salesforce.com"
TEST_HOST = "https://test.salesforce.com"
OWN_HOST = f"{DOMAIN}.salesforce.com"
INSTANCE_URL = f"https://{OWN_HOST}"
VENDOR = ".salesforce.com"
LONGEST_ASSERTION_S = 300  # an assertion is good for five minutes at most: assumed, the vendor's client asks for three
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def issue_token(org: Org, request: Request) -> Reply:
    """``POST /services/oauth2/token``. Refusals are answered with the OAuth object, status 400."""
    form = dict(request.form())
    grant = _GRANTS.get(form.get("grant_type", ""))
    try:
        if grant is None:
            raise LoginRefused("unsupported_grant_type", "grant type not supported")
        session = org.sessions.open(grant(org, request, form), org.now())
    except LoginRefused as refusal:
        return refusal.reply()
    return Reply.json(200, _token_answer(org, session), media_type=MEDIA_TYPE)


def _token_answer(org: Org, session: Session) -> dict[str, Any]:
    identity = identity_url(org, session.user_id)
    issued_at = str(int(session.opened_at.timestamp() * 1_000))
    signed = hmac.new(org.app.client_secret.encode(), (identity + issued_at).encode(), hashlib.sha256).digest()
    return {
        "access_token": session.token,
        "signature": base64.b64encode(signed).decode("ascii"),
        "scope": "id api",
        "instance_url": INSTANCE_URL,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued_at,
    }


def _client_credentials(org: Org, request: Request, form: Mapping[str, str]) -> str:
    host = request.headers.get("x-orig-host") or request.headers.get("host", "")
    name = host.split(":", 1)[0].lower()
    if name.endswith(VENDOR) and name != OWN_HOST:
        raise LoginRefused("invalid_grant", "request not supported on this domain")
    _check_client(org, *_client_of(request, form))
    user_id = org.app.run_as
    if user_id is None or not org.is_active(user_id):
        raise LoginRefused("invalid_grant", "no client credentials user enabled")
    return user_id


def _password(org: Org, request: Request, form: Mapping[str, str]) -> str:
    _check_client(org, *_client_of(request, form))
    if not org.switches.password_flow:
        raise LoginRefused("invalid_grant", "authentication failure")
    user_id = check_password(org, form.get("username", ""), form.get("password", ""))
    if user_id is None:
        raise LoginRefused("invalid_grant", "authentication failure")
    return user_id


def _assertion(org: Org, request: Request, form: Mapping[str, str]) -> str:
    public_key = org.app.public_key
    if public_key is None:
        raise LoginRefused("invalid_client", "no certificate is set for this application")
    options: Any = {"verify_exp": False, "verify_iat": False, "require": ["iss", "sub", "aud", "exp"]}
    try:
        claims = jwt.decode(
            form.get("assertion", ""),
            public_key,
            algorithms=["RS256"],
            audience=[LOGIN_HOST, TEST_HOST, INSTANCE_URL],
            options=options,
        )
    except jwt.InvalidAudienceError as problem:
        raise LoginRefused("invalid_grant", "audience is invalid") from problem
    except jwt.InvalidTokenError as problem:
        raise LoginRefused("invalid_grant", "invalid assertion") from problem
    if claims["iss"] != org.app.client_id:
        raise LoginRefused("invalid_client_id", "client identifier invalid")
    judge = org.now() if org.switches.assertion_clock is AssertionClock.WORLD else datetime.now(UTC)
    left_s = _seconds_left(claims["exp"], judge)
    if left_s is None or left_s <= 0:
        raise LoginRefused("invalid_grant", "expired authorization code")
    if left_s > LONGEST_ASSERTION_S:
        raise LoginRefused("invalid_grant", "invalid assertion")
    user_id = org.user_named(str(claims["sub"]))
    if user_id is None or not org.is_active(user_id):
        raise LoginRefused("invalid_grant", "user hasn't approved this consumer")
    return user_id


_GRANTS: Mapping[str, Callable[[Org, Request, Mapping[str, str]], str]] = {
    "client_credentials": _client_credentials,
    "password": _password,
    JWT_GRANT: _assertion,
}


def check_password(org: Org, username: str, typed: str, *, token_needed: bool | None = None) -> str | None:
    """The id of the active user who may sign in with what was typed, or None."""
    user_id = org.user_named(username)
    credentials = org.credentials.get(user_id) if user_id else None
    if user_id is None or credentials is None or not org.is_active(user_id):
        return None
    if typed == credentials.password + credentials.security_token:
        return user_id
    needed = org.switches.security_token_needed if token_needed is None else token_needed
    return user_id if not needed and typed == credentials.password else None


def _client_of(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except ValueError as problem:
        raise LoginRefused("invalid_client", "invalid client credentials") from problem
    return key, secret


def _check_client(org: Org, client_id: str, secret: str) -> None:
    if client_id != org.app.client_id:
        raise LoginRefused("invalid_client_id", "client identifier invalid")
    if not hmac.compare_digest(secret.encode(), org.app.client_secret.encode()):
        raise LoginRefused("invalid_client", "invalid client credentials")


def _seconds_left(exp: Any, now: datetime) -> float | None:
    try:
        left = float(exp) - now.timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return left if math.isfinite(left) else None


def revoke_token(org: Org, request: Request) -> Reply:
    """``POST /services/oauth2/revoke``: the session ends."""
    token = dict(request.form()).get("token", "")
    if not token or not org.sessions.expire(token=token):
        return LoginRefused("unsupported_token_type", "this token type is not supported").reply()
    return Reply(200)


def identity_url(org: Org, user_id: str) -> str:
    return f"{LOGIN_HOST}/id/{org.id}/{user_id}"


def identity(org: Org, request: Request, org_id: str, user_id: str) -> Reply:
    """``GET /id/{org}/{user}``: who signed in; anybody else's page is refused."""
    session = _open_session(org, request)
    if session is None or (org_id, user_id) != (org.id, session.user_id):
        return bad_oauth_token()
    user = shown(org.user(user_id))
    return Reply.json(
        200,
        {
            "id": identity_url(org, user_id),
            "asserted_user": True,
            "user_id": user_id,
            "organization_id": org.id,
            "username": user["Username"],
            "nick_name": user["Alias"],
            "display_name": user["Name"],
            "email": user["Email"],
            "email_verified": True,
            "first_name": user["FirstName"],
            "last_name": user["LastName"],
            "timezone": user["TimeZoneSidKey"],
            "active": True,
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "urls": {
                "rest": f"{INSTANCE_URL}/services/data/v{{version}}/",
                "sobjects": f"{INSTANCE_URL}/services/data/v{{version}}/sobjects/",
                "query": f"{INSTANCE_URL}/services/data/v{{version}}/query/",
                "profile": f"{INSTANCE_URL}/{user_id}",
                "custom_domain": INSTANCE_URL,
            },
            "last_modified_date": user["LastModifiedDate"],
        },
        media_type=MEDIA_TYPE,
    )


def user_info(org: Org, request: Request) -> Reply:
    """``GET /services/oauth2/userinfo``: the same in the words of OpenID Connect."""
    session = _open_session(org, request)
    if session is None:
        return bad_oauth_token()
    user = shown(org.user(session.user_id))
    return Reply.json(
        200,
        {
            "sub": identity_url(org, session.user_id),
            "user_id": session.user_id,
            "organization_id": org.id,
            "preferred_username": user["Username"],
            "nickname": user["Alias"],
            "name": user["Name"],
            "email": user["Email"],
            "email_verified": True,
            "given_name": user["FirstName"],
            "family_name": user["LastName"],
            "zoneinfo": user["TimeZoneSidKey"],
            "active": True,
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "updated_at": user["LastModifiedDate"],
        },
        media_type=MEDIA_TYPE,
    )


def bad_oauth_token() -> Reply:
    """The plain text of the identity service for a session that is no more."""
    return Reply(403, b"Bad_OAuth_Token", {"Content-Type": "text/html;charset=UTF-8"})


def _open_session(org: Org, request: Request) -> Session | None:
    try:
        return org.session_of(request)
    except SalesforceError:
        return None
