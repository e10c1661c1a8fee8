"""Histories at volume: the hub's own steps over a ledger in memory and two invented services, under one seed.

What carries rows between steps (frames, files) and what speaks to a vendor (HTTP, JSON) is left out here, as it decides
nothing; the histories over the sandbox in :mod:`tests.pipeline` have it all.
"""
