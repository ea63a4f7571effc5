"""Databases: a template built once and sealed, clones of it, and a small stock of them kept ready."""
