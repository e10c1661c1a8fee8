"""Salesforce: client, hook, and everything else that the hub knows of it."""
