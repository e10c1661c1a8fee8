"""Poison texts carried by real runs of every integration type, and what the services then hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from cshub.core.errors import HubError
from cshub.core.records import LinkState
from cshub.library import JobLibrary
from cshub.pipeline.run import Asked
from cshub_sandbox.world import Meeting
from tests.campaigns.fuzz_findings import Count, Findings
from tests.campaigns.fuzz_pairs import carry_pair
from tests.campaigns.fuzz_scene import CONTENT, SUBJECT, Entry, Scene, closing, filled
from tests.campaigns.fuzz_secrets import repeating_what_they_hear
from tests.campaigns.fuzz_texts import live_markup
from tests.pipeline.cast import meeting as meeting_of
from tests.pipeline.lab import Lab
from tests.pipeline.oracle import Directory, made_by_hub
from tests.pipeline.two_way import KINDS, make_sync

TOUCHES = "salesforce_campaign_touches_outbound"
Row = Mapping[str, Any]


def carry_meetings(scene: Scene, count: int) -> None:
    """Chorus → touchpoints."""
    lab = Lab.make(scene.folder, seed=1 + scene.seed % 7, accounts=8, meetings=0, cases=False)
    html = scene.seed % 3 == 0
    lab.configure_target(content_format="html" if html else "text")
    scene.watch.guard_lab(lab)
    with closing(lab):
        entries = [_meeting(scene, lab, number) for number in range(count)]
        _odd_accounts([meeting_of(lab, entry.key) for entry in entries[::7]], scene.rng)
        for step in ("made", "edited"):
            if step == "edited":
                entries = [_edited_meeting(scene, lab, entry) for entry in entries[::2]]
            lab.wait(minutes=10)
            scene.run(lab)
            for entry in entries:
                _check_meeting(scene, lab, entry, html=html)
            lab.wait(minutes=10)
            scene.check_repeat(lab, lambda: scene.run(lab))
            scene.findings.counts[Count.RECORDS] += len(entries)
        scene.watch.look_at_stores(scene.title, lab)


def carry_touches(scene: Scene, count: int) -> None:
    """Campaign touches → Salesforce events: the campaign's name comes in the subject."""
    job = JobLibrary.from_settings().bound(TOUCHES)
    lab = Lab.make(scene.folder, seed=1 + scene.seed % 7, accounts=8, meetings=0, cases=False, job=job)
    scene.watch.guard_lab(lab)
    with closing(lab):
        names = [scene.kitchen.text() for _ in range(count)]
        for name in names:
            lab.act("totango", "send_campaign", name=name.text or "none", ongoing=scene.rng.random() < 0.5)
            lab.wait(minutes=1)
        scene.run(lab)
        crm = {row["Id"] for row in lab.sandbox.service("salesforce").state()["accounts"] if not row["IsDeleted"]}
        totango = lab.sandbox.service("totango").state()
        reached = {row["id"] for row in totango["accounts"] if row["attributes"].get("sfid") in crm}
        touches = [row for row in totango["events"] if row["type"] == "campaign_touch"]
        held = [row for row in lab.sandbox.service("salesforce").state()["events"] if not row["IsDeleted"]]
        for name in (name for name in names if not name.is_blank):
            for touch in touches:
                told = touch["campaign_touch_content"]["campaign_name"]
                if name.first in told and touch["account"]["id"] in reached:
                    _check_touch(scene, lab, Entry(touch["id"], (name, name)), held)
        lab.wait(minutes=10)
        scene.check_repeat(lab, lambda: scene.run(lab))
        scene.findings.counts[Count.RECORDS] += len(names) * len(reached)
        scene.watch.look_at_stores(scene.title, lab)


def hear_refusals(scene: Scene, count: int) -> None:
    """Services that refuse calls and repeat what they were sent, secrets included: nothing of that may be told on."""
    sync = make_sync(scene.folder, list(KINDS.values())[scene.seed % 2], seed=1, accounts=8, cases=False)
    lab = sync.lab
    chorus = JobLibrary.from_settings().bound("chorus_touchpoints_inbound")
    scene.watch.guard_lab(lab)
    with closing(lab):
        for _ in range(5):
            lab.act("chorus", "add_meeting", subject=scene.kitchen.text().text)
        for at in range(count):
            job = (lab.job, lab.back, chorus)[at % 3]
            course = lab.course(asked=Asked(full_sync=True), job=job)
            share = scene.rng.choice((0.05, 0.3, 1.0))
            with scene.watch.listening(scene.title), repeating_what_they_hear(lab, scene.rng, share):
                try:
                    course.go_on()
                except HubError as error:
                    scene.watch.look_at_error(scene.title, error)
            scene.watch.look_at_course(scene.title, course)
            lab.wait(minutes=30)
        scene.watch.look_at_stores(scene.title, lab)


SCENES: Mapping[str, Callable[[Scene, int], None]] = {
    "meetings": carry_meetings,
    **{name: partial(carry_pair, kind=kind) for name, kind in KINDS.items()},
    "campaign touches": carry_touches,
    "services that repeat what they hear": hear_refusals,
}


def play(name: str, seed: int, count: int) -> Findings:
    """One scene with ``count`` records."""
    findings = Findings()
    with TemporaryDirectory() as folder:
        scene = Scene(name, Path(folder), seed, findings)
        with findings.surviving(scene.title):
            SCENES[name](scene, count)
    return findings


def _meeting(scene: Scene, lab: Lab, number: int) -> Entry:
    title, text = scene.kitchen.text("title"), scene.kitchen.text("text")
    if number == 0:  # nothing to carry at all: it must be refused
        title = text = scene.kitchen.text("nothing", kinds=("blank",))
    people = [_odd_address(scene.rng, member.person.email) for member in lab.sandbox.world.members]
    made = lab.act(
        "chorus",
        "add_meeting",
        subject=title.text,
        summary=text.text or None,
        attendees=scene.rng.sample(people, 2),
        ended_ago_s=600.0 * (number + 1),
    )
    return Entry(made["id"], (title, text))


def _edited_meeting(scene: Scene, lab: Lab, entry: Entry) -> Entry:
    title, text = filled(scene, "title"), filled(scene, "text")
    lab.act("chorus", "edit_meeting", id=entry.key, subject=title.text, summary=text.text)
    return replace(entry, texts=(title, text))


def _check_meeting(scene: Scene, lab: Lab, entry: Entry, *, html: bool) -> None:
    item, (title, text) = meeting_of(lab, entry.key), entry.texts
    moment_ms = round(item.starts_at.timestamp() * 1000)
    found = [held for held in made_by_hub(lab.sandbox) if held["timestamp_ms"] == moment_ms]
    if not found:
        link = lab.ledger.links(lab.new_run().pair, [entry.key]).get(entry.key)
        parked = link is not None and link.state is LinkState.PARKED
        if not parked and not scene.refused(lab, lab.job, entry):
            scene.wrong(entry, "is not in Totango, and no reason is told")
        return
    if len(found) > 1:
        scene.wrong(entry, f"is in Totango {len(found)} times")
    held = found[0]
    scene.check_text(entry, title, held["subject"], SUBJECT)
    scene.check_text(entry, text, held["content"], CONTENT)
    if held["formatted"] and live_markup(held["content"]):
        scene.findings.wrong(Count.LIVE, f"{scene.title}: {entry.told()}: {held['content'][:300]!r}")
    if held["formatted"] and not html:
        scene.findings.wrong(Count.LIVE, f"{scene.title}: {entry.told()} is rich text: {held['content'][:300]!r}")
    assert item.account is not None
    if held["account_id"] != item.account.totango_id:
        scene.wrong(entry, f"is in account {held['account_id']}, not {item.account.totango_id}")
    known = Directory.of(lab.sandbox)
    people = {known.person(held["account_id"], person.email) for person in item.attendees} - {None}
    if set(held["participants"]) != people:
        scene.wrong(entry, f"participants {held['participants']}, not {sorted(map(str, people))}")


def _check_touch(scene: Scene, lab: Lab, entry: Entry, held: Sequence[Row]) -> None:
    events = [row for row in held if (row.get("Totango_Touch_Id__c") or "").lower() == entry.key.lower()]
    if len(events) > 1 or (not events and not scene.refused(lab, lab.job, entry)):
        scene.wrong(entry, f"{len(events)} events, and no reason is told")
    for event in events:
        if entry.texts[0].first.lower() not in event["Subject"].lower() or len(event["Subject"]) > SUBJECT:
            scene.wrong(entry, f"the subject is {event['Subject'][:80]!r}")


def _odd_accounts(meetings: Sequence[Meeting], rng: Random) -> None:
    """Some meetings bear their account's id as other programs write it."""
    forms: Sequence[Callable[[str], str]] = (str.lower, str.upper, lambda key: key[:15], lambda key: f" {key} ")
    for item in meetings:
        if item.account is not None:
            item.account = replace(item.account, crm_id=rng.choice(forms)(item.account.crm_id))


def _odd_address(rng: Random, email: str) -> str:
    local, _, domain = email.partition("@")
    return rng.choice(
        (email, email.upper(), f"{local}+sales@{domain}", f"{local.title()}@{domain.upper()}", f"{local}@")
    )
