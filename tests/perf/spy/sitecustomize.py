"""Imported by every Python that starts with this folder on PYTHONPATH: says when and how a pytest was started."""

import sys
import time

began = time.time()
if sys.orig_argv[1:3] == ["-m", "pytest"]:
    import json
    import os

    with open(os.environ["PERF_SPY"], "w", encoding="utf-8") as report:  # noqa: PTH123 (imports no more than it must)
        json.dump({"began": began, "argv": sys.orig_argv, "env": dict(os.environ)}, report)
