"""Touchpoints: creating, editing and deleting notes, by the API or by a user in the pages of the product."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

from cshub_sandbox.totango.bodies import Payload
from cshub_sandbox.totango.errors import bad_request, not_found
from cshub_sandbox.totango.records import Event, EventType, Origin, Touchpoint
from cshub_sandbox.totango.switches import ExternalIdOnWrite, TooLong, Unknown
from cshub_sandbox.totango.tenant import Tenant

CONTENT_LIMIT = 12_000  # characters, from the vendor's touchpoint API page
_WRAPPED = re.compile(r"\s*<div\s+class=(\"|')html-parser-container\1\s*>.*</div>\s*", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<(?:!--.*?--|/?[A-Za-z][^<>]*)>", re.DOTALL)
_LINE_END = re.compile(r"<(?:br\s*/?|/p|/div|/li|/h\d|/tr)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Body:
    text: str
    formatted: bool


def read_content(content: str) -> Body:
    """Wrapped HTML is kept and flagged; from anything else tags are stripped, leaving text."""
    if _WRAPPED.fullmatch(content):
        return Body(content, True)
    if not _TAG.search(content):
        return Body(content, False)
    return Body(unescape(_TAG.sub("", _LINE_END.sub("\n", content))), False)


@dataclass(frozen=True, slots=True)
class Participants:
    internal: tuple[str, ...]
    external: tuple[str, ...]


class Touchpoints:
    """Behaviour of notes. ``actor`` is the e-mail of whoever does it: the token's owner or a user of the pages."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def create(self, payload: Payload, *, actor: str, origin: Origin = Origin.API) -> Touchpoint:
        """A new note, also when the same one was sent before. Raises the vendor's 400 for what it refuses."""
        tenant = self._tenant
        account_id = payload.required_text("account_id")
        if account_id not in tenant.accounts:
            raise bad_request("Account not found")
        if "content" not in payload:
            raise bad_request("content is required")
        subject = payload.text("subject")
        body = self._body(payload.text("content") or "", subject)
        people = self._participants(account_id, payload.items("participantList") or [])
        now = tenant.now_ms()
        date = payload.time_ms("create_date")
        touchpoint = Touchpoint(
            note_id=tenant.next_note_id(),
            event_id=tenant.new_event_id(),
            account_id=account_id,
            content=body.text,
            formatted=body.formatted,
            created_by=self._author(payload, actor),
            timestamp_ms=now if date is None else date,
            creation_ms=now,
            activity_type_id=self._flow(payload.text("activity_type_id")),
            subject=subject,
            touchpoint_type=self._type(payload.text("touchpointType")),
            tags=self._tags(payload.texts("touchpoint_tags") or []),
            internal_participants=people.internal,
            external_participants=people.external,
            disable_sync=payload.flag("disable_sync") or False,
            external_id=self._external_id(payload),
            origin=origin,
            parent_id=self._parent(payload, "parentId", account_id),
            follow_up=self._parent(payload, "followUp", account_id),
        )
        self.store(touchpoint)
        return touchpoint

    def update(self, note_id: int, payload: Payload, *, actor: str, clear_omitted: bool = False) -> Touchpoint:
        """Change fields of one note: same ids, edit trail set. The author never changes.

        Fields left out stay as they are, or turn empty with ``clear_omitted``.

        Raises 404 when the note, or the pair of note and event id, does not exist; 400 when the account would change.
        """
        old = self._pair(note_id, payload.text("event_id"))
        if payload.integer("note_id") not in (None, note_id):
            raise bad_request("note_id differs from the one in the address")
        if payload.text("account_id") not in (None, old.account_id):
            raise bad_request("A touchpoint cannot move to another account")
        changes = self._changes(payload, old, clear_omitted)
        now = self._tenant.now_ms()
        touchpoint = replace(old, **changes, last_edit_ms=now, last_edit_user=actor)
        self.store(touchpoint)
        return touchpoint

    def delete(self, note_id: int, event_id: str | None) -> Touchpoint:
        """Remove a note from both reads. Raises 404, and removes nothing, when the two ids are no pair.

        ``event_id`` None is for the product's own pages, which know what they show.
        """
        touchpoint = self._pair(note_id, event_id)
        del self._tenant.touchpoints[note_id]
        self._tenant.deleted_touchpoints.append(touchpoint)
        self._tenant.remove_event(touchpoint.event_id)
        return touchpoint

    def store(self, touchpoint: Touchpoint) -> None:
        self._tenant.touchpoints[touchpoint.note_id] = touchpoint
        self._tenant.put_event(event_of(touchpoint))

    def _pair(self, note_id: int, event_id: str | None) -> Touchpoint:
        touchpoint = self._tenant.touchpoints.get(note_id)
        if touchpoint is None or (event_id is not None and event_id != touchpoint.event_id):
            raise not_found("Touchpoint not found")
        return touchpoint

    def _changes(self, payload: Payload, old: Touchpoint, clear: bool) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if "subject" in payload or clear:
            changes["subject"] = payload.text("subject")
        if "content" in payload or clear:
            body = self._body(payload.text("content") or "", changes.get("subject", old.subject))
            changes |= {"content": body.text, "formatted": body.formatted}
        if "participantList" in payload or clear:
            people = self._participants(old.account_id, payload.items("participantList") or [])
            changes |= {"internal_participants": people.internal, "external_participants": people.external}
        if "activity_type_id" in payload or clear:
            changes["activity_type_id"] = self._flow(payload.text("activity_type_id"))
        if "touchpointType" in payload or clear:
            changes["touchpoint_type"] = self._type(payload.text("touchpointType"))
        if "touchpoint_tags" in payload or clear:
            changes["tags"] = self._tags(payload.texts("touchpoint_tags") or [])
        if "disable_sync" in payload or clear:
            changes["disable_sync"] = payload.flag("disable_sync") or False
        for field, name in (("parent_id", "parentId"), ("follow_up", "followUp")):
            if name in payload or clear:
                changes[field] = self._parent(payload, name, old.account_id)
        date = payload.time_ms("create_date")
        if date is not None:
            changes["timestamp_ms"] = date
        external_id = self._external_id(payload)
        if external_id is not None:
            changes["external_id"] = external_id
        return changes

    def _body(self, content: str, subject: str | None) -> Body:
        switches = self._tenant.switches
        if len(content) > CONTENT_LIMIT:
            if switches.over_long_content is TooLong.REJECT:
                raise bad_request(f"content is longer than {CONTENT_LIMIT} characters")
            content = content[:CONTENT_LIMIT]
        if not content.strip() and not (switches.empty_content_allowed and subject and subject.strip()):
            raise bad_request("content is required")
        return read_content(content)

    def _author(self, payload: Payload, actor: str) -> str:
        given = payload.text("created_by") or payload.text("user_id") or actor
        user = self._tenant.user(given)
        return given if user is None else user.email

    def _flow(self, flow_id: str | None) -> str:
        return choose_flow(self._tenant, flow_id)

    def _type(self, type_id: str | None) -> str | None:
        if not type_id or type_id in self._tenant.catalogues.types:
            return type_id or None
        if self._tenant.switches.unknown_tags is Unknown.REJECT:
            raise bad_request(f"Unknown touchpoint type {type_id}")
        return None

    def _tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        wanted = tuple(dict.fromkeys(tags))
        known = tuple(tag for tag in wanted if tag in self._tenant.catalogues.tags)
        if known != wanted and self._tenant.switches.unknown_tags is Unknown.REJECT:
            raise bad_request(f"Unknown touchpoint tag {next(tag for tag in wanted if tag not in known)}")
        if len(known) > 1 and self._tenant.switches.one_tag_only:
            raise bad_request("Only one touchpoint tag is allowed")
        return known

    def _participants(self, account_id: str, entries: list[Any]) -> Participants:
        internal: dict[str, None] = {}
        external: dict[str, None] = {}
        contacts = self._tenant.contacts.get(account_id, {})
        for entry in entries:
            key = _participant_id(entry)
            user = self._tenant.user(key)
            if user is not None:
                internal[user.email] = None
            elif key in contacts:
                external[key] = None
            elif self._tenant.switches.unknown_participants is Unknown.REJECT:
                raise bad_request(f"Unknown participant {key}")
        return Participants(tuple(internal), tuple(external))

    def _external_id(self, payload: Payload) -> str | None:
        if self._tenant.switches.external_id_on_write is ExternalIdOnWrite.IGNORE:
            return None
        given = payload.text("external_id")
        return given.lower() if given else None

    def _parent(self, payload: Payload, name: str, account_id: str) -> int | None:
        parent_id = payload.integer(name)
        if parent_id is None:
            return None
        parent = self._tenant.touchpoints.get(parent_id)
        if parent is None or parent.account_id != account_id:
            raise bad_request(f"{name} is no touchpoint of this account")
        return parent_id


def choose_flow(tenant: Tenant, flow_id: str | None) -> str:
    """The flow asked for, or the default one when none, an unknown or a retired one is asked for."""
    flow = tenant.catalogues.usable_flow(flow_id) if flow_id else None
    if flow is None and flow_id and tenant.switches.unknown_flow is Unknown.REJECT:
        raise bad_request(f"Unknown activity type {flow_id}")
    return (flow or tenant.catalogues.default_flow).id


def event_of(touchpoint: Touchpoint) -> Event:
    """A note's one event: its time is the touchpoint's date."""
    return Event(touchpoint.event_id, touchpoint.timestamp_ms, EventType.NOTE, touchpoint.account_id, touchpoint)


def _participant_id(entry: Any) -> str:
    key = entry.get("userId", entry.get("userid")) if isinstance(entry, dict) else None
    if not isinstance(key, str) or not key:
        raise bad_request("participantList must hold objects with a userId")
    return key
