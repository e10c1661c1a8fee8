"""What the vendor does not document: every assumption with an alternative is one switch with the assumed default."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class EndOfList(StrEnum):
    """How the last page of ``GET /v3/engagements`` says that it is the last."""

    SPACE = "space"
    EMPTY = "empty"
    NULL = "null"
    MISSING = "missing"
    EXTRA_EMPTY_PAGE = "extra_empty_page"
    REPEATED_KEY = "repeated_key"


class UpperBound(StrEnum):
    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"


class Unknown(StrEnum):
    """What happens to a value that is not known."""

    REJECT = "reject"
    IGNORE = "ignore"


class ProcessingWord(StrEnum):
    PROCESSING = "processing"
    NOVEL = "novel"


class Summaries(StrEnum):
    ARRIVE = "arrive"
    FAIL = "fail"


class Blank(StrEnum):
    NULL = "null"
    ABSENT = "absent"


class UnrecordedDetail(StrEnum):
    HALF = "half"
    FOUND = "found"
    MISSING = "missing"


class NoShowState(StrEnum):
    DONE = "done"
    NO_SHOW = "no_show"


class Future(StrEnum):
    HIDDEN = "hidden"
    LISTED = "listed"


class UnauthorizedBody(StrEnum):
    EMPTY = "empty"
    JSON_API = "json_api"


class ApiRole(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class V3Errors(StrEnum):
    JSON_API = "json_api"
    TEXT = "text"


class UsersShape(StrEnum):
    ARRAY = "array"
    DATA = "data"
    JSON_API = "json_api"


class MediaHost(StrEnum):
    OTHER = "other"
    SAME = "same"


class MediaAccess(StrEnum):
    TOKEN = "token"
    SESSION = "session"


class SpeakerIds(StrEnum):
    PARTICIPANT = "participant"
    CLUSTER = "cluster"


class AccountType(StrEnum):
    ACCOUNT = "account"
    NULL = "null"


class ExportResult(StrEnum):
    DONE = "done"
    FAILED = "failed"


class UnknownPath(StrEnum):
    NOT_FOUND = "not_found"
    WEB_APP = "web_app"


class ChorusSwitches(BaseModel):
    """Assumptions about one tenant; every attribute may be changed while it runs.

    ``json_schema_extra`` holds the number of the assumption in the vendor's fact sheet.
    """

    model_config = ConfigDict(validate_assignment=True, extra="forbid")

    end_of_list: EndOfList = Field(
        EndOfList.SPACE,
        description="What `continuation_key` is on the last page: a space, empty, null, left out; or the last full page"
        " has a key that leads to an empty page; or the key repeats the one that was sent.",
        json_schema_extra={"fact": "A1"},
    )
    page_size: int = Field(
        100,
        ge=1,
        le=1000,
        description="Engagements on a page; the caller cannot choose.",
        json_schema_extra={"fact": "A2"},
    )
    max_date: UpperBound = Field(
        UpperBound.INCLUSIVE,
        description="Whether an engagement exactly at `max_date` is listed.",
        json_schema_extra={"fact": "A4"},
    )
    unknown_engagement_type: Unknown = Field(
        Unknown.REJECT,
        description="An undocumented value of `engagement_type`, `content_type` or `compliance`: 400, or no filter.",
        json_schema_extra={"fact": "A7"},
    )
    processing_word: ProcessingWord = Field(
        ProcessingWord.PROCESSING,
        description="`processing_state` during the analysis: `processing`, or a word nobody has seen (`enriching`).",
        json_schema_extra={"fact": "A8"},
    )
    summaries: Summaries = Field(
        Summaries.ARRIVE,
        description="Whether summaries not ready when the world was made arrive, or fail with `summary_error`.",
        json_schema_extra={"fact": "A9"},
    )
    blank_summary: Blank = Field(
        Blank.NULL,
        description="`meeting_summary` and `action_items` while there is no summary: null and [], or left out.",
        json_schema_extra={"fact": "A10"},
    )
    unrecorded_detail: UnrecordedDetail = Field(
        UnrecordedDetail.HALF,
        description="Whether v1 knows unrecorded meetings: every second one, all, none.",
        json_schema_extra={"fact": "A11"},
    )
    no_show_state: NoShowState = Field(
        NoShowState.DONE,
        description="`processing_state` of a no-show: `done` or `no show`.",
        json_schema_extra={"fact": "A12"},
    )
    future_meetings: Future = Field(
        Future.HIDDEN,
        description="Whether meetings that have not begun are listed (`scheduled`).",
        json_schema_extra={"fact": "A13"},
    )
    unauthorized_body: UnauthorizedBody = Field(
        UnauthorizedBody.EMPTY,
        description="Body of a 401: none, or a JSON:API error with code `ZI0001`.",
        json_schema_extra={"fact": "A14"},
    )
    api_role: ApiRole = Field(
        ApiRole.ENABLED,
        description="Whether the token user's role may use the API; if not, 403.",
        json_schema_extra={"fact": "A14"},
    )
    rate_limit: int = Field(
        0, ge=0, description="Calls per 60 s and token, then 429; 0 = no limit.", json_schema_extra={"fact": "A15"}
    )
    retry_after_header: bool = Field(
        False, description="Send `Retry-After` (seconds) with a 429.", json_schema_extra={"fact": "A15"}
    )
    v3_errors: V3Errors = Field(
        V3Errors.JSON_API, description="Error bodies of the v3 family.", json_schema_extra={"fact": "A16"}
    )
    users_shape: UsersShape = Field(
        UsersShape.ARRAY,
        description="Body of `GET /v3/users`: a bare array, `{data: [...]}`, or JSON:API items.",
        json_schema_extra={"fact": "A18"},
    )
    users_last_login: bool = Field(
        False, description="Whether `GET /v3/users` has `last_login_at`.", json_schema_extra={"fact": "A18"}
    )
    media_redirect_status: int = Field(
        302, ge=302, le=307, description="Status of the redirect to the file.", json_schema_extra={"fact": "A19"}
    )
    media_link_key: str = Field(
        "url", min_length=1, description="Name of the link in the media JSON.", json_schema_extra={"fact": "A19"}
    )
    media_link_life_s: int = Field(
        3600, ge=0, description="Seconds until a signed link answers 403.", json_schema_extra={"fact": "A19"}
    )
    media_host: MediaHost = Field(
        MediaHost.OTHER,
        description="Whether the file is on another host name (`localhost`) than the API (`127.0.0.1`).",
        json_schema_extra={"fact": "A19"},
    )
    media_access: MediaAccess = Field(
        MediaAccess.TOKEN,
        description="Whether an API token may read media, or only a browser session after `POST /login` (else 403).",
        json_schema_extra={"fact": "A19"},
    )
    unknown_field: Unknown = Field(
        Unknown.REJECT, description="A name in `fields` that is not documented.", json_schema_extra={"fact": "A21"}
    )
    speaker_ids: SpeakerIds = Field(
        SpeakerIds.PARTICIPANT,
        description="What `speaker_id` of an utterance is: the person's id, or the id of the cluster.",
        json_schema_extra={"fact": "A23"},
    )
    account_type: AccountType = Field(
        AccountType.ACCOUNT,
        description="`account.type` of a conversation: `Account` or null.",
        json_schema_extra={"fact": "A26"},
    )
    export_result: ExportResult = Field(
        ExportResult.DONE,
        description="How an export ends (it is kept in the state; no mail or callback is sent).",
        json_schema_extra={"fact": "A27"},
    )
    unknown_path: UnknownPath = Field(
        UnknownPath.NOT_FOUND,
        description="What an undocumented path answers: 404, or the web app with status 200.",
        json_schema_extra={"fact": "§1"},
    )
