"""JUnit XML from anywhere: read whole, or refused with the reason; never half."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix import junit
from pgmatrix.errors import RecordError
from pgmatrix.records import Outcome, TestResult

GOOD = (
    '<?xml version="1.0" encoding="utf-8"?><testsuites name="all"><testsuite name="s" tests="6" failures="1" errors="1"'
    ' skipped="2" time="1.5">'
    '<properties><property name="a" value="b"/></properties>'
    '<testcase classname="t.a" name="passes" time="0.5"><system-out>hello</system-out></testcase>'
    '<testcase classname="t.a" name="fails[ů]" time="0.25"><failure message="assert 1 == 2">trace\nE  here</failure>'
    "</testcase>"
    '<testcase classname="t.a" name="breaks" time="x"><error message="LookupError"/></testcase>'
    '<testcase classname="t.a" name="waits" time="-3"><skipped type="pytest.skip" message="not today">t.py:3</skipped>'
    "</testcase>"
    '<testcase classname="t.a" name="known" time="inf"><skipped type="pytest.xfail" message="known"/></testcase>'
    '<testcase name="tries" time="1,000.5"><flakyFailure message="once">a</flakyFailure><rerunFailure/></testcase>'
    "</testsuite></testsuites>"
)


def written(folder: Path, text: str | bytes) -> Path:
    """A file of that content."""
    path = folder / "r.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes) -> junit.JUnit:
    """What is read from a file of that content."""
    return junit.read(written(folder, text))


def test_every_outcome_is_read(tmp_path: Path) -> None:
    """Passed, failed, error, skipped, expected failure and flaky, with name, seconds and words."""
    found = read(tmp_path, GOOD)

    assert found.tests == (
        TestResult(test="t.a::passes", outcome=Outcome.PASSED, seconds=0.5),
        TestResult(test="t.a::fails[ů]", outcome=Outcome.FAILED, seconds=0.25, detail="assert 1 == 2\ntrace\nE  here"),
        TestResult(test="t.a::breaks", outcome=Outcome.ERROR, seconds=0.0, detail="LookupError"),
        TestResult(test="t.a::waits", outcome=Outcome.SKIPPED, seconds=0.0, detail="not today\nt.py:3"),
        TestResult(test="t.a::known", outcome=Outcome.XFAILED, seconds=0.0, detail="known"),
        TestResult(test="tries", outcome=Outcome.FLAKY, seconds=1000.5, detail="once\na"),
    )
    assert found.bad == 2


def test_a_test_that_is_there_twice_is_what_was_worst(tmp_path: Path) -> None:
    """pytest writes a failure and a broken teardown as two; times add up, and the order does not count."""
    bad = '<testcase classname="t" name="a" time="1"><error message="e"/></testcase>'
    good = '<testcase classname="t" name="a" time="2"/>'
    worst = TestResult(test="t::a", outcome=Outcome.ERROR, seconds=3.0, detail="e")

    assert read(tmp_path, f"<testsuite>{bad}{good}</testsuite>").tests == (worst,)
    assert read(tmp_path, f"<testsuite>{good}{bad}</testsuite>").tests == (worst,)


def test_the_worst_that_is_said_of_a_test_counts(tmp_path: Path) -> None:
    """A test with several elements is the worst of them."""
    for inside in ("<skipped/><failure/><error message='e'/>", "<error message='e'/><failure/><skipped/>"):
        (one,) = read(tmp_path, f"<testsuite><testcase name='a'>{inside}</testcase></testsuite>").tests
        assert (one.outcome, one.detail) == (Outcome.ERROR, "e")


def test_what_went_wrong_with_a_whole_suite_is_a_result(tmp_path: Path) -> None:
    """An error outside any test is not lost, and belongs to no test after it."""
    found = read(tmp_path, '<testsuite><error message="set-up"/><testcase name="a"/></testsuite>')

    assert [(one.test, one.outcome, one.detail) for one in found.tests] == [
        ("<error> of the whole suite", Outcome.ERROR, "set-up"),
        ("a", Outcome.PASSED, ""),
    ]


def test_an_empty_suite_has_no_tests(tmp_path: Path) -> None:
    """That there is nothing in it is for others to judge."""
    assert read(tmp_path, '<testsuites><testsuite tests="0"/></testsuites>').tests == ()
    assert read(tmp_path, "<testsuite tests='many' failures='99999999999'/>").tests == ()


def test_other_encodings_that_say_so_are_read(tmp_path: Path) -> None:
    """UTF-16 with its mark, and Latin-1 that declares itself."""
    text = '<testsuite><testcase name="ä"/></testsuite>'

    for data in (text.encode("utf-16"), b'<?xml version="1.0" encoding="iso-8859-1"?>' + text.encode("latin-1")):
        assert [one.test for one in read(tmp_path, data).tests] == ["ä"]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><testsuite><testcase name="&c;"/></testsuite>'
)
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>'
TYPE = "it declares a document type, which could hold entities without end"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no element found: line 1, column 0"),
        ("not xml", "syntax error: line 1, column 0"),
        (GOOD[: len(GOOD) // 2], "unclosed token"),
        (GOOD[:-13], "no element found"),
        (GOOD + "<more/>", "junk after document element"),
        (b"\xff\xfe\x00", "unclosed token"),
        (b"<testsuite name='\xff'/>", "not well-formed (invalid token)"),
        (b"<?xml version='1.0' encoding='x-nonsense'?><testsuite/>", "unknown encoding"),
        (gzip.compress(GOOD.encode()), "not well-formed (invalid token)"),
        ("<testsuite><testcase name='a' name='b'/></testsuite>", "duplicate attribute"),
        ("<html/>", "it begins with <html>"),
        ("<testcase name='a'/>", "it begins with <testcase>"),
        (f"<{'x' * 50}/>", f"it begins with <{'x' * 40}>"),
        (BOMB, TYPE),
        (EXTERNAL, TYPE),
        ("<!DOCTYPE testsuite><testsuite/>", TYPE),
        ("<testsuite>" * 64 + "</testsuite>" * 64, None),
        ("<testsuite>" * 65 + "</testsuite>" * 65, "it is nested too deeply"),
        (f"<testsuite><testcase name='{'x' * 1_000_000}'/></testsuite>", None),
        (
            f"<testsuite><testcase name='{'x' * 1_000_001}'/></testsuite>",
            "an attribute of <testcase> is longer than 1000000 characters",
        ),
        (
            '<testsuite tests="2"><testcase name="a"/></testsuite>',
            "it says 2 tests and 0 failures, and holds 1 and 0: a part of it is missing",
        ),
        (
            '<testsuite tests="1" failures="1" errors="1"><testcase name="a"><failure/></testcase></testsuite>',
            "it says 1 tests and 2 failures, and holds 1 and 1: a part of it is missing",
        ),
        (
            '<testsuites><testsuite tests="1"/><testsuite tests="1"><testcase name="a"/><testcase name="b"/>'
            "</testsuite></testsuites>",
            "it says 1 tests and 0 failures, and holds 0 and 0: a part of it is missing",
        ),
        (
            '<testsuites tests="3"><testsuite tests="1"><testcase name="a"/></testsuite></testsuites>',
            "it says 3 tests and 0 failures, and holds 1 and 0: a part of it is missing",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_trusted_is_refused(tmp_path: Path, text: str | bytes, why: str | None) -> None:
    """Cut off, corrupt, hostile or something else: an error that names the file and the reason; the rest is read."""
    path = written(tmp_path, text)
    if why is None:
        assert junit.read(path) is not None
        return

    with pytest.raises(RecordError) as error:
        junit.read(path)

    assert error.value.wanted.startswith(f"{path} is not a JUnit file: ")
    assert why in error.value.wanted
    assert error.value.do_next == "run the tests again, with --junitxml"


def test_a_file_too_large_to_be_one_is_not_opened(tmp_path: Path) -> None:
    """A quarter of a gigabyte is the most; what is larger is refused by its size."""
    path = tmp_path / "r.xml"
    with path.open("wb") as file:
        file.truncate(256_000_001)

    with pytest.raises(RecordError, match="it is larger than 256 MB"):
        junit.read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A missing file, and a folder, are named."""
    for path in (tmp_path / "none.xml", tmp_path):
        with pytest.raises(RecordError, match="is not a JUnit file"):
            junit.read(path)


def test_long_words_are_cut(tmp_path: Path) -> None:
    """What a failure says is kept up to twenty thousand characters."""
    failure = f"<failure message='{'m' * 30_000}'>{'t' * 30_000}</failure>"

    found = read(tmp_path, f"<testsuite><testcase name='a'>{failure}</testcase></testsuite>")

    assert found.tests[0].detail == "m" * 20_000


@given(st.integers(0, len(GOOD) - 14))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    """Wherever a file ends too early, it is not read as if it were whole."""
    with pytest.raises(RecordError):
        read(tmp_path_factory.getbasetemp(), GOOD.encode()[:length])
