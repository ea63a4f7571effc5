"""Measures a data layer on every cell of a run side by side, and judges the figures by ratio and interval.

It knows no data layer: workloads come from the project, by name, in `[tool.pgmatrix.perf]`.
"""
