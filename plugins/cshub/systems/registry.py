"""Every system the hub knows, by name. A new system is one folder beside this file and one entry here.

Modules are named, not imported: reading what a system offers costs nothing at DAG parse time beyond its catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from pydantic import ValidationError

from cshub.core.errors import SpecError
from cshub.core.objects import ObjectSpec, Options
from cshub.core.ports import Source, Target
from cshub.core.quota import Quota


class ObjectName(Protocol):
    """An object of a system, as a mapping template names it."""

    @property
    def system(self) -> str: ...

    @property
    def object(self) -> str: ...


class QuotaMaker(Protocol):
    """Token and calls a minute → the call budget shared by all who use that token."""

    def __call__(self, token: str, calls_per_minute: int, /) -> Quota: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """One object of a system, each part as ``module:name``: its catalogue, and the ports it has.

    ``source`` and ``target`` are called with a client, the validated options, and the fields that the job reads or
    the attributes that it writes.
    """

    spec: str
    source: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    """``hook`` (``module:name``) is called with a connection id and ``quotas``; its ``client`` feeds the ports."""

    title: str
    conn_type: str
    hook: str
    objects: Mapping[str, Offer] = field(default_factory=dict)


SYSTEMS: Mapping[str, System] = {
    "chorus": System(
        title="Chorus",
        conn_type="chorus",
        hook="cshub.systems.chorus.hook:ChorusHook",
        objects={
            "engagement": Offer(
                spec="cshub.systems.chorus.catalog:ENGAGEMENT",
                source="cshub.systems.chorus.source:ChorusEngagements",
            )
        },
    ),
    "totango": System(
        title="Totango",
        conn_type="totango",
        hook="cshub.systems.totango.hook:TotangoHook",
        objects={
            "touchpoint": Offer(
                spec="cshub.systems.totango.catalog:TOUCHPOINT",
                source="cshub.systems.totango.touchpoint_source:TotangoTouchpointSource",
                target="cshub.systems.totango.target:TotangoTouchpoints",
            ),
            "task": Offer(
                spec="cshub.systems.totango.task_catalog:TASK",
                source="cshub.systems.totango.task_source:TotangoTaskSource",
                target="cshub.systems.totango.task_target:TotangoTasks",
            ),
            "campaign_touch": Offer(
                spec="cshub.systems.totango.campaign_catalog:CAMPAIGN_TOUCH",
                source="cshub.systems.totango.campaign_touch_source:TotangoCampaignTouches",
            ),
        },
    ),
    "salesforce": System(
        title="Salesforce",
        conn_type="salesforce",
        hook="cshub.systems.salesforce.hook:SalesforceHook",
        objects={
            "event": Offer(
                spec="cshub.systems.salesforce.catalog:EVENT",
                source="cshub.systems.salesforce.source:SalesforceRecords",
                target="cshub.systems.salesforce.target:SalesforceTarget",
            ),
            "task": Offer(
                spec="cshub.systems.salesforce.catalog:TASK",
                source="cshub.systems.salesforce.source:SalesforceRecords",
                target="cshub.systems.salesforce.target:SalesforceTarget",
            ),
            "record": Offer(
                spec="cshub.systems.salesforce.catalog:RECORD",
                source="cshub.systems.salesforce.source:SalesforceRecords",
                target="cshub.systems.salesforce.target:SalesforceTarget",
            ),
        },
    ),
}


def system(name: str) -> System:
    """The system called ``name``. Raises :class:`SpecError` that lists what there is."""
    if name not in SYSTEMS:
        raise SpecError(f"There is no system {name!r}. Known systems: {', '.join(SYSTEMS)}.")
    return SYSTEMS[name]


def object_spec(name: ObjectName) -> ObjectSpec:
    """What a system says of one of its objects. Raises :class:`SpecError` for an unknown system or object."""
    return cast(ObjectSpec, _load(_offer(name).spec))


def object_read(name: ObjectName, options: Mapping[str, Any]) -> str:
    """Which object a job with these ``source.options`` reads: ``name``'s own, or the one that the options choose.

    Raises :class:`SpecError` for an unknown system or object.
    """
    spec = object_spec(name)
    return (spec.source_options or spec.options).chosen_object(options) or name.object


def object_written(name: ObjectName, options: Mapping[str, Any]) -> str:
    """Which object a job with these ``target.options`` writes; see :func:`object_read`."""
    return object_spec(name).options.chosen_object(options) or name.object


def open_client(system_name: str, conn_id: str, quotas: QuotaMaker | None = None) -> Any:
    """The client behind an Airflow connection. Makes no call."""
    return _load(system(system_name).hook)(conn_id, quotas=quotas).client


def is_writable(name: ObjectName) -> bool:
    """Whether the object can be a target. Raises :class:`SpecError` for an unknown system or object."""
    return _offer(name).target is not None


def open_source(
    name: ObjectName,
    conn_id: str,
    options: Mapping[str, Any],
    quotas: QuotaMaker | None = None,
    fields: Sequence[str] = (),
) -> Source:
    """The source of an object behind a connection; see :func:`source_of`."""
    return source_of(name, lambda: open_client(name.system, conn_id, quotas), options, fields)


def source_of(
    name: ObjectName, client: Callable[[], Any], options: Mapping[str, Any], fields: Sequence[str] = ()
) -> Source:
    """The source of an object over a client; ``fields``: what the job reads of it, () = everything.

    Makes no call. Raises :class:`SpecError` when there is none or options are wrong.
    """
    offer = _offer(name)
    if offer.source is None:
        raise SpecError(f"{name.system}/{name.object} cannot be a source: it can only be written.")
    spec = object_spec(name)
    settings = _options(name, spec.source_options or spec.options, options)
    return cast(Source, _load(offer.source)(client(), settings, tuple(fields)))


def open_target(
    name: ObjectName,
    conn_id: str,
    options: Mapping[str, Any],
    quotas: QuotaMaker | None = None,
    attributes: Sequence[str] = (),
) -> Target:
    """The target of an object behind a connection; see :func:`target_of`."""
    return target_of(name, lambda: open_client(name.system, conn_id, quotas), options, attributes)


def target_of(
    name: ObjectName, client: Callable[[], Any], options: Mapping[str, Any], attributes: Sequence[str] = ()
) -> Target:
    """The target of an object over a client; ``attributes``: what the job needs to see of it, () = everything.

    Makes no call. Raises :class:`SpecError` when there is none or options are wrong.
    """
    offer = _offer(name)
    if offer.target is None:
        raise SpecError(f"{name.system}/{name.object} cannot be a target: it can only be read.")
    settings = _options(name, object_spec(name).options, options)
    return cast(Target, _load(offer.target)(client(), settings, tuple(attributes)))


def _offer(name: ObjectName) -> Offer:
    objects = system(name.system).objects
    if name.object not in objects:
        raise SpecError(f"{name.system} has no object {name.object!r}. It has: {', '.join(objects)}.")
    return objects[name.object]


def _options(name: ObjectName, model: type[Options], options: Mapping[str, Any]) -> Options:
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise SpecError(f"Options of {name.system}/{name.object} are wrong: {faults}. Correct the job file.") from error


def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
