"""Brings a client that insists on ``https://….salesforce.com`` to a sandbox on plain HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

DEFAULT_TIMEOUT_S = 30.0


class SandboxAdapter(HTTPAdapter):
    """Sends every call to ``url`` instead, whatever host it names; the wanted host travels in ``Host``."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = urlsplit(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        wanted = urlsplit(str(request.url))
        request.headers["Host"] = wanted.netloc
        request.url = urlunsplit(wanted._replace(scheme=self._url.scheme, netloc=self._url.netloc))
        kwargs["timeout"] = kwargs.get("timeout") or DEFAULT_TIMEOUT_S
        kwargs["proxies"] = {}
        return super().send(request, *args, **kwargs)


def sandbox_session(url: str) -> requests.Session:
    """A session for ``simple_salesforce.Salesforce(session=...)`` whose calls all go to the sandbox at ``url``."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", SandboxAdapter(url))
    return session
