"""Steps that bring a ledger of any age to the tables of :mod:`cshub.ledger.tables`."""

HEAD = "0004"
"""The newest step; known here so that opening an up-to-date ledger loads no step at all."""
