"""Decides whether a run may ship: rules over the evidence, each objecting in one line, and one verdict.

`judge` is a pure function of values; `gather` reads them from a run's folder. Nothing here prints.
"""
