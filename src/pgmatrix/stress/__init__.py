"""Runs a project's layers again and again in other circumstances, and counts: what passes once must always pass."""
