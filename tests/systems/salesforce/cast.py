"""A client whose network is a script: what Salesforce answers, in order, after the sign-in."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from requests import PreparedRequest
from tests.systems.wire import FakeTime, Say, Script

from cshub.systems.http import HttpPolicy
from cshub.systems.salesforce.auth import Credentials
from cshub.systems.salesforce.client import SalesforceClient

ORG, USER = "00D5g000004XyZ1EAK", "0055g00000AbCd1AAF"
TOKEN = "00D5g000004XyZ1!AQEAQ.first-token"
SECRET = "consumer-secret-77"
APP = Credentials(domain="acme.my", consumer_key="consumer-key-1", consumer_secret=SECRET)


def token(value: str = TOKEN) -> Say:
    """The answer to a sign-in."""
    return Say(
        body={
            "access_token": value,
            "instance_url": "https://acme.my.salesforce.com",
            "id": f"https://login.salesforce.com/id/{ORG}/{USER}",
            "token_type": "Bearer",
            "issued_at": "1763625600000",
            "scope": "api",
        }
    )


def refused(status: int, code: str, message: str = "no", *fields: str) -> Say:
    """A whole call refused, in Salesforce's form."""
    return Say(status, [{"errorCode": code, "message": message, "fields": list(fields)}])


EXPIRED = refused(401, "INVALID_SESSION_ID", "Session expired or invalid")


def page(*rows: dict[str, Any], total: int | None = None, following: str | None = None) -> Say:
    """A page of a query; the last one unless ``following`` names the next."""
    body: dict[str, Any] = {"totalSize": len(rows) if total is None else total, "done": following is None}
    if following is not None:
        body["nextRecordsUrl"] = following
    return Say(body={**body, "records": list(rows)})


def event(number: int) -> dict[str, Any]:
    return {"attributes": {"type": "Event", "url": "/x"}, "Id": f"00U5g00000{number:05}", "Subject": f"Event {number}"}


def done(*ids: str, created: bool | None = None) -> list[dict[str, Any]]:
    """Rows of a write call that all succeeded."""
    more = {} if created is None else {"created": created}
    return [{"id": key, "success": True, "errors": [], **more} for key in ids]


def failed(code: str, message: str = "no", *fields: str) -> dict[str, Any]:
    """A row of a write call that failed."""
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}


class Stage:
    """A client, the script it talks to and the time it sleeps in."""

    def __init__(
        self, *steps: Say | Exception, credentials: Credentials = APP, policy: HttpPolicy | None = None, **more: Any
    ) -> None:
        self.script = more.pop("script", None) or Script(*steps)
        self.time = FakeTime()
        self.client = SalesforceClient(
            credentials, wire=self.time.wire(self.script, policy=policy, quota=more.pop("quota", None)), **more
        )

    def form(self, index: int) -> dict[str, list[str]]:
        """Fields of a form that was sent."""
        body = self.sent[index].body or b""
        return parse_qs(body if isinstance(body, str) else body.decode())

    @property
    def sent(self) -> list[PreparedRequest]:
        return self.script.requests

    def path(self, index: int) -> str:
        return urlsplit(self.sent[index].url or "").path

    def question(self, index: int) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.sent[index].url or "").query).items()}

    def body(self, index: int) -> Any:
        return orjson.loads(self.sent[index].body or b"null")

    def asked(self) -> list[str]:
        """Method and path of every request, without what all have in common."""
        return [
            f"{request.method} {urlsplit(request.url or '').path.removeprefix('/services/')}" for request in self.sent
        ]


def signed_in(*steps: Say | Exception, **more: Any) -> Stage:
    return Stage(token(), *steps, **more)
