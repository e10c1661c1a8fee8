"""``GET /api/v1/conversations/{id}`` and the e-mail documents: one conversation in full."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from html import escape
from typing import Any

from ..kernel import Request
from ..world import Meeting, MeetingKind
from . import query
from .engagements import chorus_account_id, dispositions, opportunity_id
from .errors import bad_parameter, not_found
from .people import People, iso, number_of, person_id
from .records import Records, Stage, Viewer
from .switches import AccountType, SpeakerIds, Unknown, UnrecordedDetail
from .trackers import detailed_trackers

SELECTABLE = frozenset(
    {
        *("account", "company_name", "_created_at", "_modified_at", "deal", "disposition", "language", "metrics"),
        *("meeting.id", "name", "owner", "owner.email", "participants", "private", "recording", "source", "status"),
        "user_company_name",
        *(
            f"recording.{member}"
            for member in (
                *("audio_only", "autojoin", "autojoin_reason", "clusters", "duration", "end_reason", "recordable"),
                *("schedule_end_time", "schedule_start_time", "start_time", "thumbnails", "trackers", "utterances"),
            )
        ),
    }
)
UNRECORDED_REASON = "The recorder was not admitted to the meeting."
DEAL_MEMBERS = (
    "id",
    "name",
    "current_stage",
    "initial_stage",
    "size",
    "initial_amount",
    "close_date",
    "on_stage_since",
)


class Conversations:
    """Documents of single conversations, for one viewer at a time."""

    def __init__(self, records: Records, people: People) -> None:
        self._records = records
        self._people = people

    def document(self, identifier: str, request: Request, viewer: Viewer) -> dict[str, Any]:
        """The RecordingDoc of one conversation. Raises 404 and 400 problems."""
        for name in ("force_regeneration", "skip_summary_generation"):
            query.flag(request, name)
        meeting = self.find_recording(identifier, viewer)
        with_metadata = bool(query.flag(request, "include_meeting_metadata"))
        wanted = self._wanted_fields(request)
        attributes = {
            **self._attributes(meeting, with_metadata=with_metadata),
            "recording": self._recording(meeting),
        }
        if wanted is not None:
            attributes = _subset(attributes, wanted)
        return {"data": {"type": "recording", "id": meeting.id, "attributes": attributes}}

    def email_resource(self, meeting: Meeting) -> dict[str, Any]:
        """One e-mail as a JSON:API resource."""
        sender = meeting.owner.person
        greeting = escape(meeting.attendees[-1].first_name)
        return {
            "type": "email",
            "id": meeting.id,
            "attributes": {
                **self._attributes(meeting, with_metadata=False),
                "email": {
                    "sent_time": iso(meeting.starts_at),
                    "body": f"<p>Hi {greeting},</p><p>thank you for your time. {escape(meeting.subject)}</p>",
                    "thread": f"thread-{meeting.id[:8].lower()}",
                    "initiator": {"name": sender.name, "email": sender.email},
                },
            },
        }

    def find_recording(self, identifier: str, viewer: Viewer) -> Meeting:
        """A conversation that the v1 family knows as a recording. Raises the 404 problem otherwise."""
        meeting = self._records.find(identifier, viewer)
        known = {
            UnrecordedDetail.FOUND: True,
            UnrecordedDetail.MISSING: False,
            UnrecordedDetail.HALF: number_of(meeting.id) % 2 == 0,
        }
        if meeting.kind is MeetingKind.EMAIL:
            raise not_found()
        if meeting.kind is MeetingKind.UNRECORDED and not known[self._records.switches.unrecorded_detail]:
            raise not_found()
        return meeting

    def _wanted_fields(self, request: Request) -> frozenset[str] | None:
        wanted: set[str] = set()
        asked = False
        for name, prefix in (("fields", ""), ("fields[conversations]", ""), ("fields[recordings]", "recording.")):
            found = query.names(request, name)
            if found is None:
                continue
            asked = True
            full = {item if item.startswith(prefix) else prefix + item for item in found}
            unknown = sorted(full - SELECTABLE)
            if unknown and self._records.switches.unknown_field is Unknown.REJECT:
                raise bad_parameter(name, f"{unknown[0]!r} is not a field that can be selected")
            wanted |= full & SELECTABLE
        return frozenset(wanted) if asked else None

    def _attributes(self, meeting: Meeting, *, with_metadata: bool) -> dict[str, Any]:
        records, now = self._records, self._records.clock.now()
        account, company = meeting.account, self._people.world.company
        summary = records.summary(meeting, now)
        crm_type = "Account" if records.switches.account_type is AccountType.ACCOUNT else None
        deal = opportunity_id(account)
        metadata = {
            "calendar_id": f"cal-{meeting.id[:12].lower()}",
            "meeting_url": f"https://meet.example/{meeting.id[:10].lower()}",
        }
        return {
            "name": meeting.subject,
            "generated_subject": None,
            "status": records.stage(meeting, now),
            "summary": summary,
            "summary_error": records.summary_error(meeting, now),
            "recap": None,
            "action_items": records.action_items(meeting, now) or None,
            "custom_summaries": None,
            "custom_questions": None,
            "account": {
                "id": number_of(account.crm_id) if account else 0,
                "name": account.name if account else f"{meeting.owner.person.name} Meetings",
                "ext_id": chorus_account_id(account) or None,
                "type": crm_type if account else None,
                "zi_company_id": None,
            },
            "deal": {
                **dict.fromkeys(DEAL_MEMBERS),
                "id": deal,
                "name": f"{account.name} - Renewal" if account and deal else None,
            },
            "owner": self._people.owner(meeting.owner),
            "participants": [self._people.detailed_participant(person, account) for person in meeting.attendees],
            "company_name": account.name if account else None,
            "user_company_name": company,
            "private": meeting.private,
            "language": "en",
            "source": "dialer" if meeting.kind is MeetingKind.CALL else "zoom",
            "tracker_match": None,
            "metrics": [],
            "meeting": {
                "id": f"mtg-{meeting.id[:12].lower()}",
                "ical_uid": None,
                **(metadata if with_metadata else {}),
            },
            "meta": None,
            "disposition": {name: value for name, value in dispositions(meeting).items() if value is not None} or None,
            "_created_at": iso(min(meeting.starts_at, now)),
            "_modified_at": iso(records.modified_at(meeting, now)),
        }

    def _recording(self, meeting: Meeting) -> dict[str, Any]:
        records, now = self._records, self._records.clock.now()
        done = records.stage(meeting, now) is Stage.DONE
        unrecorded = meeting.kind is MeetingKind.UNRECORDED
        slot = timedelta(minutes=30) if meeting.duration_s <= 1800 else timedelta(hours=1)
        return {
            "start_time": iso(meeting.starts_at),
            "schedule_start_time": iso(meeting.starts_at.replace(second=0)),
            "schedule_end_time": iso(meeting.starts_at.replace(second=0) + slot),
            "duration": meeting.duration_s,
            "audio_only": meeting.kind is MeetingKind.CALL,
            "recordable": not unrecorded,
            "autojoin": not unrecorded,
            "autojoin_reason": "",
            "unrecorded_reason": UNRECORDED_REASON if unrecorded else "",
            "end_reason": "",
            "has_meeting_summary": records.summary(meeting, now) is not None,
            "clusters": self._clusters(meeting) if done else [],
            "trackers": detailed_trackers(meeting) if done else [],
            "thumbnails": [],
            "utterances": self._utterances(meeting) if done else [],
        }

    def _speakers(self, meeting: Meeting) -> dict[str, int]:
        emails = dict.fromkeys(line.speaker_email.lower() for line in meeting.utterances)
        return {email: number for number, email in enumerate(emails, start=1)}

    def _utterances(self, meeting: Meeting) -> list[dict[str, Any]]:
        clusters = self._speakers(meeting)
        by_cluster = self._records.switches.speaker_ids is SpeakerIds.CLUSTER
        persons = {person.email.lower(): person for person in meeting.attendees if person.email}
        values = []
        for index, line in enumerate(meeting.utterances):
            email = line.speaker_email.lower()
            person, cluster = persons.get(email), clusters[email]
            number = person_id(person) if person else None
            side = "rep" if email in self._people.members else "customer"
            values.append(
                {
                    "id": f"u-{index}",
                    "index": index,
                    "date_time": iso(meeting.starts_at + timedelta(seconds=line.offset_s)),
                    "snippet": line.text,
                    "snippet_time": line.offset_s,
                    "snippet_length": line.length_s,
                    "snippet_word_count": len(line.text.split()),
                    "participant": number or 0,
                    "speaker_id": cluster if by_cluster else number,
                    "speaker_name": person.name if person else f"Speaker {cluster}",
                    "speaker_type": side if person else None,
                    "engaging": "?" in line.text,
                    "expired": False,
                }
            )
        return values

    def _clusters(self, meeting: Meeting) -> list[dict[str, Any]]:
        persons = {person.email.lower(): person for person in meeting.attendees if person.email}
        values = []
        for email, cluster in self._speakers(meeting).items():
            person, member = persons.get(email), self._people.members.get(email)
            lines = [line for line in meeting.utterances if line.speaker_email.lower() == email]
            values.append(
                {
                    "id": cluster,
                    "speaker_name": person.name if person else f"Speaker {cluster}",
                    "type": "unknown" if person is None else "rep" if member else "cust",
                    "match_method": "voice" if person else "guess",
                    "participant": person_id(person) if person else None,
                    "user_id": member.chorus_user_id if member else None,
                    "display_name": person.name if person else None,
                    "title": person.title if person else None,
                    "company_name": None,
                    "ranges": [
                        {"start": line.offset_s, "length": line.length_s, "talk_time": line.length_s} for line in lines
                    ],
                }
            )
        return values


def _subset(attributes: Mapping[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
    """Only the wanted members; a wanted ``parent.child`` keeps the parent with its wanted children."""
    kept: dict[str, Any] = {}
    for name in sorted(wanted):
        parent, _, child = name.partition(".")
        if not child or parent in wanted:
            kept[parent] = attributes[parent]
        else:
            kept.setdefault(parent, {})[child] = attributes[parent][child]
    return kept
