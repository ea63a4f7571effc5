"""Promise: whatever really happens to a session, the gate ships it only if it is green, and says what happened."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.plugin.conftest import TESTS, Nest

# pytest's JUnit file takes a test that was interrupted for passed; the record does not.
INTERRUPTED = {"exit-code", "failures", "junit"}
# A test of a layer beside the four that pass, and the rules that object to it.
SITUATIONS: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "green": ("", (), set()),
    "green, with workers": ("", ("-n", "2"), set()),
    "a test fails": ("def test_it():\n    assert 1 == 2\n", (), {"failures"}),
    "a test fails in a worker": ("def test_it():\n    assert 1 == 2\n", ("-n", "2"), {"failures"}),
    "a teardown breaks": (
        "@pytest.fixture\ndef f():\n    yield\n    raise LookupError\n\n\ndef test_it(f):\n    pass\n",
        (),
        {"failures"},
    ),
    "call and teardown break": (
        "@pytest.fixture\ndef f():\n    yield\n    raise LookupError\n\n\ndef test_it(f):\n    assert 1 == 2\n",
        (),
        {"failures"},
    ),
    "a file cannot be imported": ("import no_such_module\n", (), {"exit-code", "failures"}),
    "a worker dies": ("import os\n\n\ndef test_it():\n    os._exit(3)\n", ("-n", "2"), {"workers", "failures"}),
    "pytest is killed": ("import os\n\n\ndef test_it():\n    os.kill(os.getpid(), 9)\n", (), {"finished"}),
    "a person interrupts": ("def test_it():\n    raise KeyboardInterrupt\n", (), INTERRUPTED),
    "pytest is made to exit": ("def test_it():\n    pytest.exit('enough', 3)\n", (), INTERRUPTED),
    "the first failure ends it": (
        "def test_a():\n    assert 1 == 2\n\n\ndef test_b():\n    pass\n",
        ("-x",),
        {"all-results", "failures"},
    ),
    "a test is skipped": ("def test_it():\n    pytest.skip('not today')\n", (), {"skips"}),
    "a test fails as expected": ("@pytest.mark.xfail\ndef test_it():\n    assert 1 == 2\n", (), {"skips"}),
    "a test passes unexpectedly": (
        "@pytest.mark.xfail(strict=False)\ndef test_it():\n    pass\n",
        ("-o", "xfail_strict=false"),
        {"xpasses"},
    ),
    "a part is run": ("", ("-k", "test_clone"), {"whole"}),
    "a part is run by id": ("", ("test_layer.py::test_clone",), {"whole"}),
    "nothing is left to run": ("", ("-k", "nothing"), {"exit-code", "tests-ran", "files", "whole"}),
    "only collected": ("", ("--collect-only",), {"tests-ran", "files", "whole", "all-results", "version", "driver"}),
    "the server is not to be had": ("", ("--pg-provider", "external"), {"started"}),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_really_happened_has_its_verdict(
    nest: Nest, recorded: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that pytest ran is judged by what it left: green ships, anything else is told by the right rules."""
    more, arguments, rules = SITUATIONS[name]
    nest.write("test_layer.py", f"{TESTS}\n\n{more}" if more else TESTS)
    folder = nest.path / "run"
    (folder / "junit").mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps({"run": "today", "sessions": [recorded]}), encoding="utf-8")
    major, driver = recorded[2:4], recorded.split("-")[1]

    nest.run(*arguments, f"--junitxml={folder / 'junit' / recorded}.xml")
    monkeypatch.setenv("PGMATRIX_POSTGRES", major)
    monkeypatch.setenv("PGMATRIX_DRIVERS", driver)
    ran = subprocess.run(
        [sys.executable, "-m", "pgmatrix", "gate", "run", "--json"],
        cwd=nest.path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stderr == ""
    verdict = json.loads(ran.stdout)
    assert {reason["rule"] for reason in verdict["reasons"]} == rules, [r["what"] for r in verdict["reasons"]]
    assert verdict["ship"] is (rules == set())
    assert ran.returncode == (1 if rules else 0)
