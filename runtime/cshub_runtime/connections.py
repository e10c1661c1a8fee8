"""From the addresses of a sandbox to the Airflow connections that lead there."""

import json
from collections.abc import Mapping

from cshub_runtime.rest import StoredConnection
from cshub_runtime.sandbox_process import SandboxAddresses, Service


def connections(addresses: SandboxAddresses, suffix: str = "default") -> list[StoredConnection]:
    """One connection per simulated service: `chorus_default`, `salesforce_default`, …, or with another suffix."""
    return [
        connection_to(service, system=name, connection_id=f"{name}_{suffix}")
        for name, service in addresses.services.items()
    ]


def connection_to(
    service: Service, *, system: str, connection_id: str, more: Mapping[str, object] | None = None
) -> StoredConnection:
    """The connection to one service; `more` is added to its extras.

    A service with an application's id and secret (Salesforce) is signed in to with these, and everything goes to its
    address whatever host the sign-in names; any other is called with its token.
    """
    if "client_id" not in service.login:
        extra = json.dumps(dict(more)) if more else None
        return StoredConnection(
            connection_id=connection_id, conn_type=system, host=service.url, password=service.token, extra=extra
        )
    signing_in = {
        "domain": service.login["domain"],
        "consumer_key": service.login["client_id"],
        "consumer_secret": service.login["client_secret"],
        "endpoint_override": service.url,
    }
    return StoredConnection(
        connection_id=connection_id, conn_type=system, extra=json.dumps({**signing_in, **(more or {})})
    )


def environment_of(connection: StoredConnection) -> tuple[str, str]:
    """Name and value of the environment variable that is this connection for Airflow and for the `cshub` command."""
    told = {
        "conn_type": connection.conn_type,
        "host": connection.host,
        "password": connection.password,
        "extra": json.loads(connection.extra) if connection.extra else None,
    }
    known = {name: value for name, value in told.items() if value is not None}
    return f"AIRFLOW_CONN_{connection.connection_id.upper()}", json.dumps(known)
