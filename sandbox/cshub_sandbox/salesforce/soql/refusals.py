"""The refusals of a query, in Salesforce's words as far as they are known (docs/vendors/salesforce.md §2.2, §3.4)."""

from __future__ import annotations

from cshub_sandbox.salesforce.errors import SalesforceError

_SHOWN_AROUND = 30
_WSDL = "Please reference your WSDL or the describe call for the appropriate names."


def located(text: str, at: int, message: str) -> str:
    """The message below the line of the query it is about, with a caret under the place."""
    before = text[:at]
    row = before.count("\n") + 1
    column = at - (before.rfind("\n") + 1) + 1
    line = text.split("\n")[row - 1]
    start = max(0, column - 1 - _SHOWN_AROUND)
    shown = line[start : column - 1 + _SHOWN_AROUND]
    return f"\n{shown}\n{' ' * (column - 1 - start)}^\nERROR at Row:{row}:Column:{column}\n{message}"


def malformed(message: str) -> SalesforceError:
    return SalesforceError("MALFORMED_QUERY", message)


def malformed_at(text: str, at: int, message: str) -> SalesforceError:
    return malformed(located(text, at, message))


def invalid_field(text: str, at: int, message: str) -> SalesforceError:
    return SalesforceError("INVALID_FIELD", located(text, at, message))


def no_such_column(text: str, at: int, column: str, entity: str) -> SalesforceError:
    """A field that does not exist, or that the user may not see: the same words for both."""
    advice = "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name."
    return invalid_field(text, at, f"No such column '{column}' on entity '{entity}'. {advice} {_WSDL}")


def no_such_relationship(text: str, at: int, name: str) -> SalesforceError:
    advice = (
        "If you are attempting to use a custom relationship, be sure to append the '__r' after the custom "
        "relationship name."
    )
    return invalid_field(text, at, f"Didn't understand relationship '{name}' in field path. {advice} {_WSDL}")


def no_such_object(text: str, at: int, name: str) -> SalesforceError:
    advice = "If you are attempting to use a custom object, be sure to append the '__c' after the entity name."
    return SalesforceError(
        "INVALID_TYPE", located(text, at, f"sObject type '{name}' is not supported. {advice} {_WSDL}")
    )


def wrong_literal(text: str, at: int, field: str, wanted: str, *, quoted: bool) -> SalesforceError:
    quotes = "should be enclosed in quotes" if quoted else "should not be enclosed in quotes"
    message = f"value of filter criterion for field '{field}' must be of type {wanted} and {quotes}"
    return invalid_field(text, at, message)


def wrong_operator(text: str, at: int, message: str) -> SalesforceError:
    return SalesforceError("INVALID_QUERY_FILTER_OPERATOR", located(text, at, message))


def out_of_range(message: str) -> SalesforceError:
    return SalesforceError("NUMBER_OUTSIDE_VALID_RANGE", message)


def not_simulated(what: str) -> SalesforceError:
    return SalesforceError("NOT_SIMULATED", f"The sandbox does not simulate {what} in a query", status=501)
