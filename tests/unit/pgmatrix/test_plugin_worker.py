"""What a process that runs tests is told, and what it says when it was told nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgmatrix.plugin.worker import Handover, Worker, worker_of
from pgmatrix.provision import Provision
from tests.unit.pgmatrix.builders import a_server, some_facts


def a_handover() -> Handover:
    """What a controller hands over."""
    provision = Provision(
        server=a_server(options={"sslmode": "disable"}),
        template="pgmx_t_ab",
        token="0123abcd",
        facts=some_facts(),
        seconds=0.25,
        close=lambda: None,
        keep=lambda databases: "",
    )
    return Handover.of(provision, stock=2)


def a_config(workerinput: dict[str, Any] | None = None, plugin: object = None) -> pytest.Config:
    """pytest in an xdist worker with that input."""
    return cast(
        "pytest.Config",
        SimpleNamespace(
            workerinput=workerinput,
            getoption=lambda name: False,
            pluginmanager=SimpleNamespace(get_plugin=lambda name: plugin),
        ),
    )


def test_a_handover_arrives_whole() -> None:
    """What goes through xdist's pipe as text is the same server, template and token, for the named worker."""
    sent = a_handover()

    found = Handover.from_json(sent.to_json(), "gw1")

    assert (found.server, found.template, found.token, found.stock) == (sent.server, "pgmx_t_ab", "0123abcd", 2)
    assert (found.worker, found.ready_seconds, found.facts["server_version"]) == ("gw1", 0.25, "16.14")


def test_a_handover_shows_no_password() -> None:
    """A handover printed by accident tells no password."""
    assert "s3cret" not in repr(a_handover())


def test_an_xdist_worker_uses_its_controllers_server() -> None:
    """The worker reads its input when the first database is asked for."""
    worker = Worker.of_xdist(a_config({"pgmatrix": a_handover().to_json(), "workerid": "gw1"}))

    assert worker.server == a_handover().server
    assert worker.handover.worker == "gw1"


def test_a_worker_without_a_server_says_why() -> None:
    """A test outside every layer has no server under xdist, and the error says how to get one."""
    worker = Worker.of_xdist(a_config({"workerid": "gw1"}))

    with pytest.raises(pytest.UsageError) as error:
        worker.server  # noqa: B018

    assert str(error.value) == (
        "no server was started for this run: none of its paths is in a layer of [tool.pgmatrix]\n"
        "  do    add the file to a layer, or run it without -n"
    )


def test_a_project_without_a_table_says_so() -> None:
    """A fixture of ours in a project without the table is an error that says what is missing."""
    with pytest.raises(pytest.UsageError) as error:
        worker_of(a_config())

    assert str(error.value) == ("this project has no [tool.pgmatrix] table in its pyproject.toml\n  do    add one")


def test_the_worker_of_a_process_is_found() -> None:
    """The worker that was registered is the one the fixtures use."""
    worker = Worker(a_handover, keep=False)

    assert worker_of(a_config(plugin=worker)) is worker


def test_only_the_tests_that_need_clones_are_counted() -> None:
    """A collection without tests that clone starts no stock, and so no server."""
    worker = Worker(lambda: pytest.fail("nobody asked for a server"), keep=False)
    items = [SimpleNamespace(fixturenames=["tmp_path"]), SimpleNamespace()]
    config = SimpleNamespace(option=SimpleNamespace(collectonly=False))

    worker.pytest_collection_finish(cast("pytest.Session", SimpleNamespace(items=items, config=config)))
    worker.pytest_sessionfinish()

    assert "handover" not in vars(worker)
