from __future__ import annotations

from typing import Any

import pytest

from cshub.core.errors import SpecError
from cshub.core.jobs import ObjectRef
from cshub.core.objects import ObjectSpec
from cshub.systems import registry
from cshub.systems.totango.campaign_catalog import CAMPAIGN_TOUCH, CampaignTouchOptions
from cshub.systems.totango.catalog import TOUCHPOINT, TouchpointOptions, TouchpointSourceOptions
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.task_catalog import TASK, TaskOptions, TaskSourceOptions

WRITABLE = {"touchpoint": True, "task": True, "campaign_touch": False}


def ref(name: str) -> ObjectRef:
    return ObjectRef(system="totango", object=name)


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    client = TotangoClient("a-token")
    monkeypatch.setattr(registry, "open_client", lambda system, conn_id, quotas=None: client)


@pytest.mark.parametrize(("name", "writable"), WRITABLE.items())
def test_every_object_is_read_and_some_are_written(name: str, writable: bool) -> None:
    source = registry.open_source(ref(name), "x", {}, fields=["account_id"])
    assert source.calls == 0
    assert registry.is_writable(ref(name)) is writable
    if writable:
        assert registry.open_target(ref(name), "x", {}, attributes=["account_id"]).calls == 0
    else:
        with pytest.raises(SpecError, match="cannot be a target: it can only be read"):
            registry.open_target(ref(name), "x", {})


def test_what_is_not_known_is_neither_writable_nor_not() -> None:
    with pytest.raises(SpecError, match="It has: touchpoint, task, campaign_touch"):
        registry.is_writable(ref("alert"))


@pytest.mark.parametrize(
    ("name", "options"), [("touchpoint", {"flows": ["Renewal"]}), ("task", {"check_deletions": False})]
)
def test_a_source_and_a_target_have_options_of_their_own(name: str, options: dict[str, Any]) -> None:
    registry.open_source(ref(name), "x", options)
    with pytest.raises(SpecError, match=r"Options of totango/\w+ are wrong.*Correct the job file"):
        registry.open_target(ref(name), "x", options)
    with pytest.raises(SpecError, match="flow: Extra inputs are not permitted"):
        registry.open_source(ref(name), "x", {"flow": "Renewal"})


@pytest.mark.parametrize("spec", [TOUCHPOINT, TASK, CAMPAIGN_TOUCH], ids=lambda spec: spec.name)
def test_every_field_has_a_title_an_example_and_an_explanation(spec: ObjectSpec) -> None:
    for name, field in spec.fields.items():
        assert field.name == name
        assert field.title
        assert field.help
        assert field.example is not None


@pytest.mark.parametrize(
    "model",
    [TouchpointOptions, TouchpointSourceOptions, TaskOptions, TaskSourceOptions, CampaignTouchOptions],
    ids=lambda model: model.__name__,
)
def test_every_option_is_explained_and_has_a_default(model: Any) -> None:
    assert model() == model.model_validate({})
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("options", [{"updated_within_days": 0}, {"account_reference": {"attribute": ""}}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="Correct the job file"):
        registry.open_source(ref("touchpoint"), "x", options)
