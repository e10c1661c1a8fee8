"""Totango: touchpoints, tasks, events, accounts and users."""
