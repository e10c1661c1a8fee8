"""What people in the sandbox's world talk about: subjects, summaries, action items and lines that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from random import Random


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of conversation. ``{account}``, ``{contact}``, ``{owner}`` and ``{company}`` are filled in."""

    subjects: tuple[str, ...]
    points: tuple[str, ...]
    actions: tuple[str, ...]
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Talk:
    """The texts of one meeting. ``lines`` alternates (is our side, words)."""

    subject: str
    points: list[str]
    actions: list[str]
    lines: list[tuple[bool, str]]


TOPICS: tuple[Topic, ...] = (
    Topic(
        ("Quarterly review - {account}", "{account} / {company} QBR", "Business review with {account}"),
        (
            "{contact} walked through the results of the last quarter; usage is up in the support team.",
            "The two remaining goals are shorter onboarding and fewer manual reports.",
            "{account} asked how the health score is composed and which part they can influence.",
            "Budget for next year is being planned now; a first figure is expected before the end of the month.",
            "{contact} wants the review deck a week earlier next time.",
            "An executive sponsor joins the next review.",
        ),
        ("Send the review deck to {contact}", "Book the next quarterly review", "Share the health score definition"),
        (
            "Shall we start with the numbers of the last quarter?",
            "Adoption in support grew by eleven percent since we last met.",
            "What would make the next quarter a success for you?",
            "I will send the deck right after this call.",
            "Let us look at the two goals that are still open.",
        ),
        (
            "Sure, go ahead.",
            "That matches what I hear from the team leads.",
            "Fewer manual reports, honestly. My team loses a day a week.",
            "Can we have the deck a bit earlier next time?",
            "I will bring our sponsor to the next review.",
        ),
    ),
    Topic(
        ("Onboarding kickoff - {account}", "Kickoff: {account} implementation", "{account} onboarding, week 1"),
        (
            "The project team introduced itself; {contact} is the single point of contact on the customer side.",
            "Single sign-on has to be ready before the first users are invited.",
            "The data import covers three years of history and will be done in two steps.",
            "Go-live is planned in six weeks, with a pilot group of fifteen people two weeks before.",
            "Training will be held remotely in two sessions of ninety minutes.",
        ),
        (
            "Send the data import template to {contact}",
            "Introduce the identity team to {owner}",
            "Publish the project plan",
        ),
        (
            "Welcome everybody, let us go around the table first.",
            "Our plan has four phases, I will share my screen.",
            "Who owns single sign-on on your side?",
            "We need the sample file by Friday to keep the date.",
            "Two sessions of ninety minutes have worked best for other teams.",
        ),
        (
            "Happy to be here.",
            "That is our identity team, I will connect you.",
            "We have about three years of history, is that a problem?",
            "Friday is tight but we can do it.",
            "Remote training is fine for us.",
        ),
    ),
    Topic(
        ("Renewal discussion - {account}", "{account} renewal", "Contract and seats: {account}"),
        (
            "The contract ends in four months and {contact} intends to renew.",
            "{account} asks for a two-year term in exchange for a better price per seat.",
            "Forty seats are not used; they could be moved to the new team in Lisbon.",
            "Procurement needs the security questionnaire before they start their review.",
            "A competing offer is on the table but was described as a fallback.",
        ),
        ("Send the renewal quote", "Return the security questionnaire", "Check unused seats with {contact}"),
        (
            "Let us talk about the renewal while we still have time.",
            "A longer term gives me some room with the price.",
            "I see forty seats without a login since summer.",
            "I will send the quote by Thursday.",
            "What does procurement need from us?",
        ),
        (
            "We want to stay, the question is the price.",
            "Two years would be fine if the numbers work.",
            "We could give those to the team in Lisbon.",
            "They always want the security questionnaire first.",
            "To be open, we do have another offer.",
        ),
    ),
    Topic(
        ("Weekly sync {account} / {company}", "{account} check-in", "Catch-up with {contact}"),
        (
            "The export problem of last week is solved; {contact} confirmed it in their own workspace.",
            "Two tickets are still open, both about duplicate contacts.",
            "The team likes the new dashboard but misses a filter by region.",
            "{contact} is away for two weeks; a deputy was named.",
        ),
        ("Follow up on the two open tickets", "File the request for a region filter"),
        (
            "Any news on the export?",
            "I checked the two tickets this morning, one is waiting for logs.",
            "Noted, I will file that as a request.",
            "Who covers for you while you are away?",
        ),
        (
            "It works again, thanks for the quick fix.",
            "I will send you the logs this afternoon.",
            "The dashboard is nice. A filter by region would make it perfect.",
            "My colleague takes over, I will introduce you by mail.",
        ),
    ),
    Topic(
        ("Technical workshop: API and data - {account}", "{account} integration workshop", "Data model session"),
        (
            "{account} wants to push usage data once a day from its warehouse.",
            "Account ids are the join key; the team will clean about two hundred duplicates first.",
            "Time zones were a source of confusion: all exports are in UTC from now on.",
            "Rate limits are acceptable when the nightly job is spread over an hour.",
            "A staging workspace is needed for tests.",
        ),
        (
            "Create a staging workspace for {account}",
            "Send the field list to {contact}",
            "Review the first export together",
        ),
        (
            "Which system holds the truth about your accounts?",
            "All timestamps are in UTC, that will save us trouble.",
            "You can spread the nightly job over an hour.",
            "I will open a staging workspace today.",
        ),
        (
            "The warehouse, mostly. The CRM has some duplicates.",
            "Good, our last export was off by an hour twice a year.",
            "What happens when we hit the limit?",
            "Could you send me the list of fields?",
        ),
    ),
    Topic(
        ("Escalation call - {account}", "{account}: slow reports", "Incident follow-up with {account}"),
        (
            "{contact} described the impact: monthly reports arrived a day late in two regions.",
            "The cause was a queue that grew over the weekend; it has been fixed and is monitored now.",
            "{account} expects a written root cause analysis by the end of the week.",
            "A second contact on our side was named for urgent cases.",
        ),
        ("Write the root cause analysis", "Name a second contact for urgent cases"),
        (
            "First of all, I am sorry for the trouble this caused.",
            "The queue grew over the weekend and nobody was paged. That has changed.",
            "You will have the written analysis by Friday.",
            "Please call us both in urgent cases.",
        ),
        (
            "Our regional leads were not amused.",
            "Why did we have to tell you, and not the other way round?",
            "I need that in writing for my management.",
            "All right, thank you for being clear.",
        ),
    ),
    Topic(
        ("Product feedback session - {account}", "Roadmap preview for {account}", "{account}: ideas and feedback"),
        (
            "The new mobile view was shown; {contact} offered to test it with five people.",
            "Offline notes remain the most wanted feature.",
            "Permissions are too coarse for {account}: regional managers should not see each other's notes.",
            "The roadmap for the next two quarters was presented under non-disclosure.",
        ),
        ("Invite five testers of {account} to the preview", "Add the vote for offline notes"),
        (
            "I would love your honest opinion on this screen.",
            "How do your regional managers work with notes today?",
            "This is a preview, please keep it to yourself.",
            "I can add five of your people to the preview.",
        ),
        (
            "It is much faster than before.",
            "They should not see each other's notes, that is a blocker.",
            "Offline notes, that is what everybody asks for.",
            "Five people is easy, I will send you names.",
        ),
    ),
    Topic(
        ("Training for admins - {account}", "{account} admin enablement", "Playbooks workshop with {account}"),
        (
            "Four admins of {account} learned how to build segments and playbooks.",
            "The first playbook reacts to a drop in logins over fourteen days.",
            "Questions came up about archiving old segments; nobody is sure which are in use.",
            "A short follow-up is planned to review the first results.",
        ),
        ("Send the recording to the admins", "List segments that have not been used for a year"),
        (
            "Let us build the first segment together.",
            "A drop in logins over two weeks is a good trigger.",
            "You will get the recording afterwards.",
            "Try it on your own and we compare.",
        ),
        (
            "Where do I see who uses a segment?",
            "We have far too many old ones.",
            "Can we run it as a test first?",
            "That was easier than I thought.",
        ),
    ),
)

UNSCHEDULED = "Unscheduled Meeting"


def talk(rng: Random, *, account: str, contact: str, owner: str, company: str) -> Talk:
    """Texts of one conversation about one topic, with the names filled in."""
    topic = rng.choice(TOPICS)
    names = {"account": account, "contact": contact, "owner": owner, "company": company}

    def fill(texts: tuple[str, ...], least: int) -> list[str]:
        chosen = sorted(rng.sample(range(len(texts)), rng.randint(least, len(texts))))
        return [texts[index].format(**names) for index in chosen]

    subject = UNSCHEDULED if rng.random() < 0.03 else rng.choice(topic.subjects).format(**names)
    lines: list[tuple[bool, str]] = []
    for ours, theirs in zip(fill(topic.ours, 3), fill(topic.theirs, 3), strict=False):
        lines += [(True, ours), (False, theirs)]
    return Talk(subject, fill(topic.points, 3), fill(topic.actions, 1), lines)


def plain_summary(points: list[str]) -> str:
    """The usual form: sentences, with a line break of HTML between paragraphs when there are many."""
    if len(points) < 4:
        return " ".join(points)
    return " ".join(points[:2]) + "<br>" + " ".join(points[2:])


def html_summary(points: list[str], actions: list[str]) -> str:
    """The rich form: tags, entities and line breaks."""
    items = "".join(f"<li>{escape(action)} &amp; confirm</li>" for action in actions)
    body = "<br/>".join(escape(point, quote=False) for point in points)
    return f"<p><b>Summary</b>&nbsp;&ndash; what was said:<br>{body}</p><ul>{items}</ul>"


def long_summary(points: list[str], *, at_least: int) -> str:
    """Numbered paragraphs that together exceed ``at_least`` characters."""
    text, number = "", 0
    while len(text) <= at_least:
        number += 1
        text += f"{number}. {points[number % len(points)]} "
    return text.strip()


UNICODE_TALKS: tuple[tuple[str, str], ...] = (
    (
        "Réunion de suivi – Çağrı & Zoë 🚀",
        "L’équipe est prête 👍🏽👩‍👩‍👧. Prochaine étape : déploiement à Orléans, budget ≈ 12 000 €.",
    ),
    (
        "פגישת סיכום רבעונית",
        "הלקוח מרוצה מההטמעה. נקבעה פגישת המשך ביום שלישי בשעה 10:00 (UTC).",
    ),
    ("四半期レビュー 🇯🇵 株式会社", "導入は予定どおりです。次回は来週、管理者向けの研修を行います。"),
    ("مراجعة ربع سنوية – متابعة", "الفريق راضٍ عن النتائج، والخطوة التالية هي تجديد العقد 📝."),
)
