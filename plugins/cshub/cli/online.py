"""What only the services can say of a job: whether its connections work and whether the names it uses exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cshub.cli.airflow_home import settle_airflow
from cshub.cli.selection import Selected
from cshub.core.errors import Fault, HubError, TransientError
from cshub.core.mapping import compile_mapping

CONNECTION_REMEDY = "Correct the connection under Admin, Connections; its Test button asks the same."


def online_faults(item: Selected) -> list[Fault]:
    """Faults found by real calls: sign-in on both sides, flow, type and reasons, the foreign-key attribute.

    Raises :class:`TransientError` when a service does not answer: nothing is known then.
    """
    settle_airflow()
    from cshub.systems import registry

    bound = item.bound
    job = bound.job
    faults: list[Fault] = []

    def check(field: str, remedy: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except TransientError:
            raise
        except HubError as error:
            path = str(item.library.path_of(item.job_id))
            faults.append(Fault(path, field, str(error).rstrip("."), remedy))
            return None

    fields = compile_mapping(bound, item.source, item.target, version="check").source_fields
    ends: dict[str, Callable[[], Any]] = {
        "source": lambda: registry.open_source(
            bound.source, job.source.connection, bound.source_options, fields=fields
        ),
        "target": lambda: registry.open_target(bound.target, job.target.connection, bound.target_options),
    }
    for side, opened in ends.items():
        port = check(f"{side}.connection", CONNECTION_REMEDY, opened)
        if port is None or check(f"{side}.connection", CONNECTION_REMEDY, port.identity) is None:
            continue
        options = getattr(port, "check_options", None)
        if options is not None:
            check(f"{side}.options", "Use names that the service has, such as those above, in the job file.", options)
        if side == "target":
            faults += _foreign_key(item)
    return faults


def _foreign_key(item: Selected) -> list[Fault]:
    from cshub.core.wording import suggest
    from cshub.systems import registry

    bound = item.bound
    attribute = (bound.target_options.get("account_match") or {}).get("attribute")
    if bound.target.system != "totango" or attribute is None:
        return []
    client = registry.open_client("totango", bound.job.target.connection)
    names = [str(row.get("key_name")) for row in client.attributes()]
    if attribute in names:
        return []
    path = str(item.library.path_of(item.job_id))
    reason = f"Totango has no attribute {attribute!r}"
    return [Fault(path, "target.options.account_match.attribute", reason, suggest(attribute, names))]
