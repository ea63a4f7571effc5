"""Alembic's environment and the revisions 001 to 005."""
