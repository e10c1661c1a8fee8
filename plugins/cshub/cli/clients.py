"""Clients of the services for single commands: by Airflow connection, or by address and a token of the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.core.errors import ConnectionSpecError

if TYPE_CHECKING:
    from cshub.core.quota import Quota
    from cshub.systems.chorus.client import ChorusClient
    from cshub.systems.registry import QuotaMaker
    from cshub.systems.salesforce.client import SalesforceClient
    from cshub.systems.totango.client import TotangoClient

TOTANGO_TOKEN = "CSHUB_TOTANGO_TOKEN"
CHORUS_TOKEN = "CSHUB_CHORUS_TOKEN"
SALESFORCE_TOKEN = "CSHUB_SALESFORCE_TOKEN"
TOKENS: Mapping[str, str] = {"totango": TOTANGO_TOKEN, "chorus": CHORUS_TOKEN, "salesforce": SALESFORCE_TOKEN}

Connection = Annotated[
    str | None,
    typer.Option(
        "--connection",
        metavar="ID",
        help="Airflow connection, of AIRFLOW_CONN_… or Airflow's database. Default: that of the service.",
    ),
]
TotangoUrl = Annotated[
    str | None,
    typer.Option("--url", help=f"Address of the service, without Airflow; the token is read from {TOTANGO_TOKEN}."),
]
ChorusUrl = Annotated[
    str | None,
    typer.Option("--url", help=f"Address of the service, without Airflow; the token is read from {CHORUS_TOKEN}."),
]

SalesforceUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        help=f"Address of the org, without Airflow; a session id (access token) is read from {SALESFORCE_TOKEN}.",
    ),
]


@contextmanager
def totango_client(connection: str | None, url: str | None) -> Iterator[TotangoClient]:
    """Keeps to the budget that the ledger shares when ``CSHUB_LEDGER_URL`` names one, else to one of its own."""
    with _quotas() as quotas:
        if url is None:
            client: TotangoClient = _connected("totango", connection or "totango_default", quotas)
        else:
            client = _direct_totango(url, quotas)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def chorus_client(connection: str | None, url: str | None) -> Iterator[ChorusClient]:
    with _quotas() as quotas:
        if url is None:
            client: ChorusClient = _connected("chorus", connection or "chorus_default", quotas)
        else:
            from cshub.systems.chorus.client import ChorusClient

            client = ChorusClient(_token(CHORUS_TOKEN), base_url=url)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def salesforce_client(connection: str | None, url: str | None) -> Iterator[SalesforceClient]:
    with _quotas() as quotas:
        if url is None:
            client: SalesforceClient = _connected("salesforce", connection or "salesforce_default", quotas)
        else:
            client = _direct_salesforce(url)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def _quotas() -> Iterator[QuotaMaker | None]:
    from cshub.settings import Settings

    settings = Settings.from_environment()
    with ExitStack() as stack:
        if settings.ledger_url is None:
            yield None
            return
        from cshub.ledger import Ledger
        from cshub.pipeline.opening import quotas_of

        yield quotas_of(stack.enter_context(Ledger.open(settings.ledger_url)))


def _connected(system: str, conn_id: str, quotas: QuotaMaker | None) -> Any:
    from cshub.cli.airflow_home import settle_airflow

    settle_airflow()
    from cshub.systems import registry

    try:
        return registry.open_client(system, conn_id, quotas)
    except ConnectionSpecError as error:
        raise ConnectionSpecError(
            f"{error} Without Airflow: set AIRFLOW_CONN_{conn_id.upper()} in the environment, or give --url and put "
            f"the token into {TOKENS[system]}."
        ) from error


def _direct_totango(url: str, quotas: QuotaMaker | None) -> TotangoClient:
    from cshub.systems.http import Wire
    from cshub.systems.quota import LocalQuota
    from cshub.systems.totango.client import CALLS_PER_MINUTE, TotangoClient

    token = _token(TOTANGO_TOKEN)
    quota: Quota = quotas(token, CALLS_PER_MINUTE) if quotas else LocalQuota(CALLS_PER_MINUTE)
    return TotangoClient(token, base_url=url, wire=Wire(quota=quota))


def _direct_salesforce(url: str) -> SalesforceClient:
    from cshub.systems.salesforce.auth import Credentials
    from cshub.systems.salesforce.client import SalesforceClient

    address = url.rstrip("/")
    return SalesforceClient(
        Credentials(session_id=_token(SALESFORCE_TOKEN), instance_url=address),
        endpoint_override=address if address.startswith("http://") else None,
    )


def _token(variable: str, environment: Mapping[str, str] = os.environ) -> str:
    token = environment.get(variable, "").strip()
    if not token:
        raise ConnectionSpecError(f"There is no token: put it into the environment variable {variable}.")
    return token
