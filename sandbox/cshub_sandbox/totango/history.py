"""A tenant's believable past: notes and tasks of users, imports of the native job, campaigns, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from cshub_sandbox.totango.campaigns import send_campaign
from cshub_sandbox.totango.records import (
    Account,
    Alert,
    Event,
    EventType,
    Origin,
    Task,
    TaskAction,
    TaskChange,
    TaskStatus,
    Touchpoint,
    UserStatus,
)
from cshub_sandbox.totango.tasks import Tasks
from cshub_sandbox.totango.tenant import Tenant, epoch_ms, iso_ms
from cshub_sandbox.totango.touchpoints import CONTENT_LIMIT, Touchpoints, read_content
from cshub_sandbox.world import Meeting, MeetingKind

NATIVE_IMPORT_AGE = timedelta(days=100)  # only meetings older than this were imported by the native job
_DAY_MS = 86_400_000
_NOTES = (
    ("Kick-off notes", "Agreed on goals for the first quarter and named the project leads on both sides."),
    ("Check-in", "Usage is up. They asked for a second training session for the new colleagues."),
    ("Renewal talk", "Budget is approved for another year, legal review starts next week."),
    ("Support follow-up", "The export problem is solved; they confirmed that the nightly file arrives again."),
    ("Lunch with the sponsor", "New sponsor in the spring. Asked for references from the same industry."),
    ("", "Left a voice mail, will try again on Thursday."),
    ("Roadmap session", "Showed the next two releases. Strong interest in single sign-on & audit reports."),
)
_TASKS = (
    ("Send training material", "Slides and recording of the last session"),
    ("Prepare the business review", "Figures of the last two quarters"),
    ("Check open tickets", "Three tickets older than a week"),
    ("Confirm renewal date", "Ask finance for the signed form"),
    ("Introduce the new sponsor", "Find a slot with our management"),
)
_CAMPAIGNS = ("Spring product news", "Invitation to the user day", "Survey: how are we doing?")


class History:
    """Writes the past of a tenant: notes and tasks of users, imports of the native job, campaigns and alerts."""

    def __init__(self, tenant: Tenant, now: datetime) -> None:
        self._tenant = tenant
        self._rng = tenant.rng
        self._now_ms = epoch_ms(now)
        self._accounts = list(tenant.accounts.values())
        self._authors = [user for user in tenant.team.values() if user.status is not UserStatus.CREATED]
        self._touchpoints = Touchpoints(tenant)
        self._tasks = Tasks(tenant)

    def write(self, meetings: Sequence[Meeting]) -> None:
        size = min(len(self._accounts), 12)
        self._import_old(meetings)
        for _ in range(3 * size):
            self._write_note()
        for _ in range(2 * size):
            self._write_task()
        for name in _CAMPAIGNS[: max(1, size // 4)]:
            self._send_campaign(name, self._some(self._accounts, 5))
        for account in self._some(self._accounts, max(1, size // 2)):
            self._raise_alert(account)

    def _some(self, choices: Sequence[Account], count: int) -> list[Account]:
        return self._rng.sample(choices, min(count, len(choices)))

    def _import_old(self, meetings: Sequence[Meeting]) -> None:
        limit = self._now_ms - int(NATIVE_IMPORT_AGE.total_seconds() * 1000)
        known = [
            meeting
            for meeting in meetings
            if meeting.account is not None
            and meeting.account.totango_id in self._tenant.accounts
            and meeting.kind is MeetingKind.RECORDED
            and epoch_ms(meeting.starts_at) < limit
            and meeting.summary
        ]
        transaction = self._tenant.new_uuid()
        for meeting in self._rng.sample(known, min(15, len(known))):
            self._touchpoints.store(self._imported(meeting, transaction))

    def _imported(self, meeting: Meeting, transaction: str) -> Touchpoint:
        assert meeting.account is not None
        account_id = meeting.account.totango_id
        emails = {person.email.lower() for person in meeting.attendees}
        contacts = self._tenant.contacts.get(account_id, {}).values()
        owner = meeting.owner.person.email
        starts_ms = epoch_ms(meeting.starts_at)
        return Touchpoint(
            note_id=self._tenant.next_note_id(),
            event_id=self._tenant.new_event_id(),
            account_id=account_id,
            content=read_content((meeting.summary or "")[:CONTENT_LIMIT]).text,
            created_by=user.email if (user := self._tenant.user(owner)) else owner,
            timestamp_ms=starts_ms,
            creation_ms=starts_ms - starts_ms % _DAY_MS + _DAY_MS,
            activity_type_id=self._tenant.catalogues.default_flow.id,
            subject=meeting.subject,
            internal_participants=tuple(
                user.email for user in self._tenant.team.values() if user.email.lower() in emails
            ),
            external_participants=tuple(c.user_id for c in contacts if c.email.lower() in emails),
            external_id=meeting.id.lower(),
            origin=Origin.NATIVE_IMPORT,
            transaction_id=transaction,
        )

    def _write_note(self) -> None:
        catalogues = self._tenant.catalogues
        account = self._rng.choice(self._accounts)
        author = self._rng.choice(self._authors)
        subject, content = self._rng.choice(_NOTES)
        written_ms = self._past(8, 180)
        edited_ms = written_ms + self._rng.randrange(1, 48) * 3_600_000 if self._rng.random() < 0.25 else None
        contacts = list(self._tenant.contacts.get(account.id, {}))
        self._touchpoints.store(
            Touchpoint(
                note_id=self._tenant.next_note_id(),
                event_id=self._tenant.new_event_id(),
                account_id=account.id,
                content=content,
                created_by=author.email,
                timestamp_ms=written_ms - self._rng.randrange(3) * 3_600_000,
                creation_ms=written_ms,
                activity_type_id=self._rng.choice([flow.id for flow in catalogues.flows.values() if not flow.disabled]),
                subject=subject,
                touchpoint_type=self._rng.choice(list(catalogues.types)),
                tags=tuple(self._rng.sample(list(catalogues.tags), self._rng.randrange(2))),
                internal_participants=(author.email,),
                external_participants=tuple(self._rng.sample(contacts, min(len(contacts), self._rng.randrange(3)))),
                origin=Origin.USER,
                last_edit_ms=edited_ms,
                last_edit_user=author.email if edited_ms else None,
            )
        )

    def _write_task(self) -> None:
        catalogues = self._tenant.catalogues
        title, description = self._rng.choice(_TASKS)
        assigner, assignee = self._rng.choice(self._authors).email, self._rng.choice(self._authors).email
        created_ms = self._past(12, 120)
        label = catalogues.label_for(TaskStatus.OPEN)
        due = date.fromisoformat(iso_ms(created_ms)[:10]) + timedelta(days=self._rng.randrange(5, 40))
        task = Task(
            id=self._tenant.next_task_id(),
            account_id=self._rng.choice(self._accounts).id,
            title=title,
            description=description,
            due_on=due.isoformat(),
            priority=self._rng.choice((1, 2, 2, 3)),
            status_label_id=label.id,
            status=label.status,
            activity_type_id=catalogues.default_flow.id,
            assignee=assignee,
            assigner=assigner,
            creation_ms=created_ms,
            last_updater=assigner,
            origin=Origin.USER,
        )
        self._tasks.record(TaskChange(TaskAction.CREATE, None, task), at_ms=created_ms)
        if self._rng.random() < 0.5:
            done_ms = created_ms + self._rng.randrange(1, 10) * _DAY_MS
            done = catalogues.label_for(TaskStatus.CLOSED)
            closed = replace(
                task, status_label_id=done.id, status=done.status, last_updater=assignee, completed_ms=done_ms
            )
            self._tasks.record(TaskChange(TaskAction.COMPLETE, task, closed), at_ms=done_ms)

    def _send_campaign(self, name: str, accounts: Sequence[Account]) -> None:
        sender = self._rng.choice(self._authors).email
        send_campaign(self._tenant, accounts, name=name, sender=sender, at_ms=self._past(10, 90))

    def _raise_alert(self, account: Account) -> None:
        content = Alert("health_change", "Health changed from green to yellow", "negative", 3, "yellow", "green")
        event = Event(self._tenant.new_event_id(), self._past(8, 90), EventType.ALERT, account.id, content)
        self._tenant.put_event(event)

    def _past(self, least_days: int, most_days: int) -> int:
        return self._now_ms - self._rng.randrange(least_days * 1_440, most_days * 1_440) * 60_000
