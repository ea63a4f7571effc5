"""Owns the words of `pgmatrix perf`. Standard library only: the command line knows them before anything is measured."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `pgmatrix perf`."""
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="such as point-read; all by default")
    parser.add_argument("--quick", action="store_true", help="less of everything: for a look, not for a decision")
    parser.add_argument("--minutes", type=float, help="how long all cells together may take")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="an earlier run of this machine to compare with")
    parser.add_argument("--save-baseline", action="store_true", help="keep this run as the baseline of later ones")
    parser.add_argument("--slow", action="append", default=[], metavar="WORKLOAD=FACTOR", help="slow it on purpose")
    parser.add_argument("--cell", action="append", default=[], help="such as pg16-asyncpg; repeatable, all by default")
    parser.add_argument("--python", action="append", default=[], metavar="DRIVER=PATH", help="a driver's interpreter")
    parser.add_argument("--folder", type=Path, help="the run's folder; by default a new one in .pgmatrix/runs")
    parser.add_argument("--show", metavar="CELL", help="print what the run in --folder says of a cell, and no more")
