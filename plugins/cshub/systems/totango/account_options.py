"""Settings of how accounts of Totango and of other systems are matched."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

CRM_ID_ATTRIBUTE = "sfid"  # system attribute "CRM System Account Id" (totango.md §2.8)


class AccountKey(StrEnum):
    ACCOUNT_ID = "account_id"
    FOREIGN_KEY = "foreign_key"


class AccountMatch(BaseModel):
    """How the account of a record is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: AccountKey = Field(
        AccountKey.ACCOUNT_ID,
        description="account_id: by Totango's own account id; foreign_key: by an attribute of the account",
    )
    attribute: str | None = Field(None, description="API name of the foreign-key attribute, for example sfid")

    @model_validator(mode="after")
    def _foreign_key_has_a_name(self) -> AccountMatch:
        if (self.by is AccountKey.FOREIGN_KEY) != bool(self.attribute):
            raise ValueError("give attribute together with by: foreign_key, and only then")
        return self


class AccountReference(BaseModel):
    """What the account of a record is called in the other system."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: AccountKey = Field(
        AccountKey.FOREIGN_KEY,
        description="foreign_key: by an attribute of the account, else by its id where that is a Salesforce id; "
        "account_id: by Totango's own account id",
    )
    attribute: str = Field(CRM_ID_ATTRIBUTE, min_length=1, description="API name of the attribute")

    @property
    def looked_at(self) -> str | None:
        """The attribute that holds the reference, None where the account's own id is it."""
        return self.attribute if self.by is AccountKey.FOREIGN_KEY else None
