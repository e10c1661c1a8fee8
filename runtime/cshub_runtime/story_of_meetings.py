"""The part of the demo's story that is about Chorus: late summaries, missing accounts, edits in Totango."""

from cshub_runtime.acts import Act, NotCarriedOver, Services, expect

RENEWAL = "CAFE00000000000000000000000000A1"
KICKOFF = "CAFE00000000000000000000000000A2"
RENEWAL_SUBJECT = "Renewal talk: price and term"
KICKOFF_SUBJECT = "Kick-off of the reporting project"
BY_HAND = "Added by hand: the sponsor is the head of finance."
OFFER = "They asked for two years; we offer 5 %."


def _two_meetings_end(services: Services) -> None:
    account = services.meeting(services.case("html_summary"))["account_id"]
    for meeting, subject, summary in (
        (RENEWAL, RENEWAL_SUBJECT, "They ask for a two-year term.<br>Price is open."),
        (KICKOFF, KICKOFF_SUBJECT, "Scope agreed: three dashboards by the end of the quarter."),
    ):
        services.act(
            "chorus", "add_meeting", id=meeting, subject=subject, summary=summary, account=account, ended_ago_s=3600
        )


def _both_are_touchpoints(services: Services) -> str:
    services.touchpoint(RENEWAL_SUBJECT)
    services.touchpoint(KICKOFF_SUBJECT)
    return "both are touchpoints in Totango"


def _a_late_summary_arrives(services: Services) -> None:
    services.act("chorus", "finish_summary", id=services.case("summary_late_by_weeks"))


def _the_touchpoint_is_filled(services: Services) -> str:
    meeting = services.meeting(services.case("summary_late_by_weeks"))
    subject = meeting["subject"].strip()
    texts = [note["content"].strip() for note in services.held("totango", "touchpoints") if note["subject"] == subject]
    if not any(texts):
        raise NotCarriedOver(f"the touchpoint {subject!r} is still empty")
    return "its touchpoint, empty until now, is filled"


def _a_missing_account_is_created(services: Services) -> None:
    crm_id = services.meeting(services.case("account_not_in_totango"))["account_id"]
    services.act("totango", "create_account", crm_id=crm_id)


def _what_waited_is_there(services: Services) -> str:
    crm_id = services.meeting(services.case("account_not_in_totango"))["account_id"][:15]
    accounts = {
        item["id"] for item in services.held("totango", "accounts") if item["attributes"].get("sfid", "")[:15] == crm_id
    }
    arrived = [note for note in services.held("totango", "touchpoints") if note["account_id"] in accounts]
    if not arrived:
        raise NotCarriedOver("its timeline is still empty")
    return f"{len(arrived)} touchpoints that waited for it are there"


def _a_touchpoint_is_edited(services: Services) -> None:
    note = services.touchpoint(KICKOFF_SUBJECT)
    content = f"{note['content'].strip()}\n{BY_HAND}"
    services.act("totango", "edit_touchpoint", note_id=note["note_id"], content=content)


def _the_edit_is_kept(services: Services) -> str:
    return expect("the edit is kept", kept=(BY_HAND in services.touchpoint(KICKOFF_SUBJECT)["content"], True))


def _both_sides_edit_one_meeting(services: Services) -> None:
    note = services.touchpoint(RENEWAL_SUBJECT)
    services.act("totango", "edit_touchpoint", note_id=note["note_id"], content=OFFER)
    services.act("chorus", "edit_meeting", id=RENEWAL, summary="They ask for a three-year term.")


def _totangos_edit_is_kept(services: Services) -> str:
    sentence = "Totango's text stays, as the job says; what Chorus says is kept in the audit"
    return expect(sentence, text=(services.touchpoint(RENEWAL_SUBJECT)["content"], OFFER))


PROLOGUE = (Act("two meetings have just ended in Chorus", _two_meetings_end, _both_are_touchpoints),)
ACTS = (
    Act("Chorus finishes a summary that was missing", _a_late_summary_arrives, _the_touchpoint_is_filled),
    Act("an account that records wait for is created in Totango", _a_missing_account_is_created, _what_waited_is_there),
    Act("the touchpoint of a meeting is edited in Totango", _a_touchpoint_is_edited, _the_edit_is_kept),
    Act(
        "a meeting is edited in Chorus, and its touchpoint in Totango, differently",
        _both_sides_edit_one_meeting,
        _totangos_edit_is_kept,
    ),
)
