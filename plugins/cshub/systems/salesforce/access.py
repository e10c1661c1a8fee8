"""Signed-in calls: one token, renewed once when it is not taken any more, and who it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import requests
from simple_salesforce.api import Salesforce

from cshub.core.errors import AuthenticationFailed, ConnectionSpecError, DataError, PermanentError, ProtocolFault
from cshub.core.ids import to_18
from cshub.systems.http import ApiSession, Wire
from cshub.systems.salesforce.auth import Credentials, SignIn, check_version
from cshub.systems.salesforce.models import rows_in
from cshub.systems.salesforce.session import POLICY, Identity, SalesforceAdapter, Unsigned, open_session
from cshub.systems.salesforce.verdicts import error_of_salesforce

T = TypeVar("T")


class Access:
    """Calls to one org as one user. Makes no connection before the first call."""

    def __init__(
        self, credentials: Credentials, *, version: str, endpoint_override: str | None, label: str, wire: Wire
    ) -> None:
        self.http = ApiSession(
            label,
            endpoint_override or credentials.address(),
            auth=Unsigned(),
            secrets=credentials.secrets,
            wire=wire,
            policy=POLICY,
            judge=error_of_salesforce,
        )
        self._adapter = SalesforceAdapter(self.http, endpoint_override=endpoint_override)
        self._sign_in = SignIn(
            credentials, session=open_session(self._adapter), http=self.http, version=check_version(version)
        )

    @property
    def sf(self) -> Salesforce:
        """simple-salesforce, signed in."""
        return self._sign_in.current()

    @cached_property
    def identity(self) -> Identity:
        """Told by the sign-in itself, else asked for with one call."""
        _ = self.sf
        return self._adapter.identity or self._asked_identity()

    def session(self) -> requests.Session:
        """A new session that is signed in, for calls of one's own below ``https://{sf.sf_instance}``."""
        session = open_session(self._adapter)
        session.headers.update(self.sf.headers)
        return session

    def ask(self, call: Callable[[Salesforce], T]) -> T:
        """What ``call`` returns. When the token is not taken any more, it signs in anew and calls once more."""
        sf = self.sf
        try:
            return self._guarded(call, sf)
        except AuthenticationFailed:
            renewed = self._sign_in.renew(sf)
            if renewed is None:
                raise
        try:
            return self._guarded(call, renewed)
        except AuthenticationFailed as error:
            raise AuthenticationFailed(
                f"{error} A token made a moment ago was refused too: check that the user may use the API, from this "
                "network (Setup, Session Settings and the user's profile)."
            ) from error

    def rest(self, method: str, path: str, **more: Any) -> Any:
        """The JSON answer of a call below ``/services/data/vNN.0/``; None for an answer without content."""
        return self.ask(lambda sf: sf.restful(path, method=method, **more))

    def raw(self, method: str, path: str, *, headers: Mapping[str, str], **more: Any) -> requests.Response:
        """The whole answer of a call below ``/services/data/vNN.0/``, for those that are not JSON."""
        return self.ask(
            lambda sf: sf.session.request(method, sf.base_url + path, headers={**sf.headers, **headers}, **more)
        )

    def _guarded(self, call: Callable[[Salesforce], T], sf: Salesforce) -> T:
        try:
            return call(sf)
        except requests.RequestException as error:
            wrong = type(error).__name__
        raise ConnectionSpecError(
            f"{self.http.label}: a request could not be prepared ({wrong}): correct the address of the connection."
        )

    def _asked_identity(self) -> Identity:
        try:
            told: Any = self.ask(lambda sf: sf.oauth2("userinfo"))
            return Identity(to_18(str(told["organization_id"])), to_18(str(told["user_id"])))
        except AuthenticationFailed:
            raise
        except (PermanentError, DataError, KeyError, TypeError):
            page = self.ask(lambda sf: sf.query("SELECT Id FROM Organization LIMIT 1"))
        rows = rows_in(page.get("records"), "its organization")
        if not rows:
            raise ProtocolFault(f"{self.http.label} does not tell which org is signed in to. Run again.")
        return Identity(to_18(str(rows[0].get("Id"))), "")
