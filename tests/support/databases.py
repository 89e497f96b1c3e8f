"""Databases for tests: an SQLite file always, and a schema of its own on a PostgreSQL server where there is one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

GIVEN = os.environ.get("VIDNB_TEST_POSTGRES_URL")
"""Read on import, as no test sees a variable of vidnb."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a server: VIDNB_TEST_POSTGRES_URL, else one that is started in a temporary folder."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if GIVEN:
        yield GIVEN
        return
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip("no PostgreSQL: neither VIDNB_TEST_POSTGRES_URL nor initdb and pg_ctl")
    with started_server() as url:
        yield url


@contextlib.contextmanager
def started_server() -> Iterator[str]:
    """A server on a Unix socket. It refuses to run as root, so there it runs as the user postgres."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="vidnb-pg-"))
    try:
        if user:
            shutil.chown(folder, user)

        def run(*command: str) -> None:
            subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

        data = str(folder / "data")
        run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/vidnb.db"
        return
    with schema_on(request.getfixturevalue("postgres_server")) as url:
        yield url


@contextlib.contextmanager
def schema_on(server_url: str) -> Iterator[str]:
    """The address of an empty schema on a PostgreSQL server; it is gone afterwards."""
    server = make_url(server_url).set(drivername="postgresql+psycopg")
    schema = f"vidnb_{uuid.uuid4().hex}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        url = server.update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()
