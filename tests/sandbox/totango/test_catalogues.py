from __future__ import annotations

from typing import Any

import pytest

FLOWS, TYPES, TAGS = "/api/v3/activity-types/", "/api/v3/touchpoint-types/", "/api/v3/touchpoint-tags/"


def test_flows_are_an_object_keyed_by_id_with_one_default_and_one_disabled(totango: Any) -> None:
    totango.create(activity_type_id="escalation")
    flows = totango.send("GET", FLOWS).json
    assert {"renewal", "support", "escalation", "adoption"} < set(flows)
    assert all(key == flow["activity_type_id"] for key, flow in flows.items())
    assert [key for key, flow in flows.items() if flow["default_type"]] == ["adoption"]
    (disabled,) = [key for key, flow in flows.items() if flow["disabled"]]
    assert disabled.startswith("disabled_")
    assert flows["escalation"]["num_of_activities_assign_to"] > 0
    assert set(flows["renewal"]) == {
        "activity_type_id",
        "display_name",
        "num_of_activities_assign_to",
        "icon_class",
        "system_type",
        "default_type",
        "disabled",
    }


def test_another_flow_can_become_the_default_but_not_a_disabled_one(totango: Any) -> None:
    totango.act("set_default_flow", id="renewal")
    assert totango.held(totango.create())["activity_type_id"] == "renewal"
    assert [flow["id"] for flow in totango.service.state()["flows"] if flow["default"]] == ["renewal"]
    for flow_id in ("disabled_1612137600000", "nope"):
        with pytest.raises(KeyError, match=flow_id):
            totango.act("set_default_flow", id=flow_id)


def test_a_new_tenant_has_the_five_touchpoint_types(totango: Any) -> None:
    names = [item["display_name"] for item in totango.send("GET", TYPES).json]
    assert names == ["Web meeting", "In-person meeting", "Telephone call", "Email", "Internal note"]


@pytest.mark.parametrize("path", [TYPES, TAGS])
def test_types_and_tags_come_in_three_shapes(totango: Any, path: str) -> None:
    rows = totango.send("GET", path).json
    assert {"id", "display_name", "icon", "is_default", "non_editable", "used", "created_at", "updated_by"} <= set(
        rows[0]
    )
    totango.switches.catalogue_shape = "map"
    assert totango.send("GET", path).json == {row["id"]: row["display_name"] for row in rows}
    totango.switches.catalogue_shape = "map_of_objects"
    assert totango.send("GET", path).json == {row["id"]: row for row in rows}


def test_a_tag_is_marked_used_once_a_touchpoint_bears_it(totango: Any) -> None:
    tag = totango.act("add_touchpoint_tag", name="Advocacy")["id"]

    def used() -> bool:
        return next(bool(row["used"]) for row in totango.send("GET", TAGS).json if row["id"] == tag)

    assert not used()
    totango.create(touchpoint_tags=[tag])
    assert used()
