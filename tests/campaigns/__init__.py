"""Campaigns: whole histories of faults, held against what the services ended up holding, with published figures."""
