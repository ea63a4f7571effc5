"""Injects the fault named in PGMATRIX_FAULT (`module:faults=name`) into a Python process that a test starts."""

import importlib
import os

reference, _, wanted = os.environ["PGMATRIX_FAULT"].partition("=")
module, _, attribute = reference.partition(":")
for fault in getattr(importlib.import_module(module), attribute):
    if fault.name == wanted:
        for change in fault.changes:
            change.apply()
