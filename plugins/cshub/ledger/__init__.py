"""What cshub remembers: links between records, writes under way, runs, the audit, and the shared budgets of calls."""

from cshub.ledger.ledger import Ledger
from cshub.ledger.pairs import PairSides
from cshub.ledger.quota import SharedQuota, quota_name
from cshub.ledger.rows import (
    Closing,
    DecisionRow,
    Fence,
    IntentRequest,
    PlanKind,
    PlanRow,
    RejectRow,
    RunRow,
    is_interrupted,
)
from cshub.ledger.settings import ledger_url

__all__ = [
    "Closing",
    "DecisionRow",
    "Fence",
    "IntentRequest",
    "Ledger",
    "PairSides",
    "PlanKind",
    "PlanRow",
    "RejectRow",
    "RunRow",
    "SharedQuota",
    "is_interrupted",
    "ledger_url",
    "quota_name",
]
