"""Poison texts carried by real runs of every integration type, and what the services then hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from cshub.core.errors import HubError
from cshub.core.jobs import BoundJob
from cshub.core.records import LinkState
from cshub.library import JobLibrary
from cshub.pipeline.run import Asked
from cshub_sandbox.world import Meeting
from tests.campaigns.fuzz_findings import Count, Findings
from tests.campaigns.fuzz_secrets import Watch, repeating_what_they_hear
from tests.campaigns.fuzz_texts import Kitchen, Poison, arrived, live_markup
from tests.pipeline.cast import meeting as meeting_of
from tests.pipeline.lab import Done, Lab
from tests.pipeline.oracle import Directory, made_by_hub
from tests.pipeline.two_way import KINDS, TASKS, Kind, Sync, make_sync

CONTENT, SUBJECT, DESCRIPTION = (
    12_000,
    255,
    32_000,
)  # documented lengths: docs/vendors/totango.md §3, salesforce.md §4.1
TOUCHES = "salesforce_campaign_touches_outbound"
Row = Mapping[str, Any]


@dataclass
class Entry:
    """One record that a person made in a source. ``texts``: title and text as the source keeps them."""

    key: str
    texts: tuple[Poison, Poison]
    from_salesforce: bool = False

    @property
    def words(self) -> list[str]:
        return [text.first for text in self.texts if not text.is_blank]

    def told(self) -> str:
        return f"{self.key} ({', '.join(text.kind for text in self.texts)})"


@dataclass
class Scene:
    """One small world under one seed. ``name`` stands before each story."""

    name: str
    folder: Path
    seed: int
    findings: Findings
    rng: Random = field(init=False)
    kitchen: Kitchen = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.name} {self.seed}")
        self.kitchen = Kitchen(self.rng)
        self.watch = Watch(self.findings)

    @property
    def title(self) -> str:
        return f"{self.name}, seed {self.seed}"

    def wrong(self, entry: Entry, why: str) -> None:
        self.findings.wrong(Count.WRONG, f"{self.title}: {entry.told()}: {why}")

    def run(self, lab: Lab, job: BoundJob | None = None) -> Done | None:
        """One full sync with everybody listening. None, and a crash, when it raises."""
        course = lab.course(asked=Asked(full_sync=True), job=job)
        with self.watch.listening(self.title), self.findings.surviving(self.title):
            try:
                return course.go_on()
            except HubError as error:
                self.watch.look_at_error(self.title, error)
                raise
            finally:
                self.watch.look_at_course(self.title, course)
        return None

    def refused(self, lab: Lab, job: BoundJob, entry: Entry) -> bool:
        """Whether the ledger tells why a record was not carried."""
        return any(row.source_key == entry.key and row.reason for row in lab.ledger.rejects(job.id))

    def check_text(self, entry: Entry, given: Poison, held: str | None, limit: int | None) -> None:
        why = arrived(given, held, limit=limit)
        if why is not None:
            self.wrong(entry, f"{given.kind}: {why}")

    def check_repeat(self, lab: Lab, runs: Callable[[], object]) -> None:
        """Nothing is written when the same runs come again."""
        before = sum(entry.write for entry in lab.sandbox.log.entries)
        runs()
        written = [entry for entry in lab.sandbox.log.entries if entry.write][before:]
        if written:
            first = f"{written[0].method} {written[0].path} {str(written[0].body)[:500]}"
            self.findings.wrong(Count.AGAIN, f"{self.title}: {len(written)} writes, the first: {first}")
            self.findings.counts[Count.AGAIN] += len(written) - 1


def carry_meetings(scene: Scene, count: int) -> None:
    """Chorus → touchpoints."""
    lab = Lab.make(scene.folder, seed=1 + scene.seed % 7, accounts=8, meetings=0, cases=False)
    html = scene.seed % 3 == 0
    lab.configure_target(content_format="html" if html else "text")
    scene.watch.guard_lab(lab)
    with _closing(lab):
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


def carry_pair(scene: Scene, count: int, kind: Kind) -> None:
    """Salesforce ↔ Totango, both directions."""
    sync = make_sync(scene.folder, kind, seed=1 + scene.seed % 7, accounts=8, cases=False)
    lab = sync.lab
    assert lab.back is not None
    scene.watch.guard_lab(lab)

    def round_() -> None:
        for job in (lab.job, lab.back):
            scene.run(lab, job)
            lab.wait(minutes=10)

    with _closing(lab):
        accounts = list(sync.common_accounts().items())
        made = [_made(scene, sync, scene.rng.choice(accounts), at % 2 == 0) for at in range(count)]
        entries = [entry for entry in made if entry is not None]
        for step in ("made", "edited"):
            if step == "edited":
                entries = [_edited(scene, sync, entry) for entry in entries[::2]]
            lab.wait(minutes=10)
            round_()
            round_()
            _check_pair(scene, sync, entries)
            scene.check_repeat(lab, round_)
            scene.findings.counts[Count.RECORDS] += len(entries)
        scene.watch.look_at_stores(scene.title, lab)


def carry_touches(scene: Scene, count: int) -> None:
    """Campaign touches → Salesforce events: the campaign's name comes in the subject."""
    job = JobLibrary.from_settings().bound(TOUCHES)
    lab = Lab.make(scene.folder, seed=1 + scene.seed % 7, accounts=8, meetings=0, cases=False, job=job)
    scene.watch.guard_lab(lab)
    with _closing(lab):
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
    with _closing(lab):
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
    title, text = scene.kitchen.text(), scene.kitchen.text()
    people = [_odd_address(scene.rng, member.person.email) for member in lab.sandbox.world.members]
    made = lab.act(
        "chorus",
        "add_meeting",
        subject=title.text,
        summary=text.text if text.text else None,
        attendees=scene.rng.sample(people, 2),
        ended_ago_s=600.0 * (number + 1),
    )
    return Entry(made["id"], (title, text))


def _edited_meeting(scene: Scene, lab: Lab, entry: Entry) -> Entry:
    title, text = _filled(scene), _filled(scene)
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
    if live_markup(held["content"]) if held["formatted"] else False:
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


def _made(scene: Scene, sync: Sync, account: tuple[str, str], in_salesforce: bool) -> Entry | None:
    """A record of a person, None when the service itself refuses the texts."""
    kind = sync.kind
    title, text = scene.kitchen.text(most=SUBJECT if in_salesforce else None), scene.kitchen.text(most=DESCRIPTION)
    if not in_salesforce and kind is not TASKS and len(text.text) > CONTENT:
        text = scene.kitchen.text(most=CONTENT)
    try:
        if in_salesforce:
            given = {"Subject": title.text, "Description": text.text, "WhatId": account[1]}
            key = sync.event(**given)
        else:
            key = sync.note(account[0], title.text, text.text)
    except ValueError:
        return None
    return _as_kept(sync, Entry(key, (title, text), in_salesforce))


def _edited(scene: Scene, sync: Sync, entry: Entry) -> Entry:
    """A person gives the record other texts, where the service takes them."""
    title, text = _filled(scene, SUBJECT), _filled(scene, CONTENT)
    names = ("Subject", "Description") if entry.from_salesforce else sync.kind.totango_texts
    edit = sync.edit_salesforce if entry.from_salesforce else sync.edit_totango
    try:
        edit(entry.key, **dict(zip(names, (title.text, text.text), strict=True)))
    except ValueError:
        return entry
    return _as_kept(sync, replace(entry, texts=(title, text)))


def _filled(scene: Scene, most: int | None = None) -> Poison:
    while (made := scene.kitchen.text(most=most)).is_blank:
        continue
    return made


def _as_kept(sync: Sync, entry: Entry) -> Entry:
    row = sync.in_salesforce(entry.key) if entry.from_salesforce else sync.in_totango(entry.key)
    assert row is not None
    names = ("Subject", "Description") if entry.from_salesforce else sync.kind.totango_texts
    title, text = (given.held_as(row.get(name)) for given, name in zip(entry.texts, names, strict=True))
    return replace(entry, texts=(title, text))


def _check_pair(scene: Scene, sync: Sync, entries: Sequence[Entry]) -> None:
    lab, kind = sync.lab, sync.kind
    assert lab.back is not None
    held = {
        True: lab.sandbox.service("totango").state()[kind.totango_name],
        False: [
            row
            for row in lab.sandbox.service("salesforce").state()[kind.salesforce_name]
            if not row["IsDeleted"] and not row.get("IsChild")
        ],
    }
    for entry in entries:
        names = kind.totango_texts if entry.from_salesforce else ("Subject", "Description")
        twins = [
            row
            for row in held[entry.from_salesforce]
            if any(word in f"{row.get(names[0]) or ''} {row.get(names[1]) or ''}" for word in entry.words)
        ]
        job = lab.job if entry.from_salesforce else lab.back
        if len(twins) > 1:
            scene.wrong(entry, f"is there {len(twins)} times")
        elif not twins:
            if entry.words and not scene.refused(lab, job, entry):
                scene.wrong(entry, "did not come, and no reason is told")
        elif not scene.refused(lab, job, entry):
            _check_twin(scene, sync, entry, twins[0], names)


def _check_twin(scene: Scene, sync: Sync, entry: Entry, twin: Row, names: tuple[str, str]) -> None:
    is_task = sync.kind is TASKS
    limit = (None if is_task else CONTENT) if entry.from_salesforce else DESCRIPTION
    scene.check_text(entry, entry.texts[0], twin.get(names[0]), SUBJECT)
    scene.check_text(entry, entry.texts[1], twin.get(names[1]), limit)
    if entry.from_salesforce and (is_task or twin["formatted"]):
        text = twin.get(names[1]) or ""
        if not is_task or live_markup(text):
            scene.findings.wrong(Count.LIVE, f"{scene.title}: {entry.told()}: {text[:300]!r}")


@contextmanager
def _closing(lab: Lab) -> Iterator[None]:
    try:
        yield
    finally:
        lab.ledger.close()
