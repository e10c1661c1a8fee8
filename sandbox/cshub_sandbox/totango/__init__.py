"""Totango as documented in public: touchpoints, tasks, events, accounts, users, and what is not known as switches."""

from cshub_sandbox.totango.service import TotangoService
from cshub_sandbox.totango.switches import TotangoSwitches

__all__ = ["TotangoService", "TotangoSwitches"]
