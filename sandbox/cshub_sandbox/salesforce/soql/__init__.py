"""SOQL of docs/vendors/salesforce.md §6.2, with semi-joins and child queries: parse it, run it, take pages."""

from cshub_sandbox.salesforce.soql.engine import Result, Setting, check, run
from cshub_sandbox.salesforce.soql.literals import quote
from cshub_sandbox.salesforce.soql.reading import parse
from cshub_sandbox.salesforce.soql.syntax import Query

__all__ = ["Query", "Result", "Setting", "check", "parse", "quote", "run"]
