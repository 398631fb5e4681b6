"""`xe blob-get` and `blob-put`: bytes to and from a host over HTTP."""

import asyncio
import io
import os
from pathlib import Path

import pytest
from tests.unit.messages.fake_host import Client, FakeHost, api, host

from cardume.cli.xe import run
from cardume.datamodel.refs import Ref
from cardume.datamodel.task import Task

__all__ = ["api", "host"]


class Xe:
    """The program within a thread of this process."""

    def __init__(self, port: int) -> None:
        extra = f"server=127.0.0.1,port={port},username=root,password=secret,no-verify=true"
        self._environment = {"XE_EXTRA_ARGS": extra}

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        home = Path("/nowhere")
        work = asyncio.to_thread(run, arguments, self._environment, home, out, err, io.StringIO())
        code = await asyncio.wait_for(work, 30)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture
def xe(host: FakeHost) -> Xe:
    return Xe(host.port)


@pytest.fixture
async def uuid(api: Client, host: FakeHost) -> str:
    return host.db.get(Ref(await api("blob.create", "text/plain"))).uuid


@pytest.mark.parametrize("public", ["false", "true"])
async def test_what_was_put_into_a_blob_is_got_back(
    host: FakeHost, xe: Xe, uuid: str, public: str, tmp_path: Path
) -> None:
    sent = os.urandom(3 * 2**20 + 1)
    (tmp_path / "sent").write_bytes(sent)
    await xe("blob-param-set", f"uuid={uuid}", f"public={public}")

    assert await xe("blob-put", f"uuid={uuid}", f"filename={tmp_path}/sent") == (0, "", "")
    assert await xe("blob-get", f"uuid={uuid}", f"filename={tmp_path}/got") == (0, "", "")

    assert (tmp_path / "got").read_bytes() == sent
    assert host.db.all(Task) == {}  # the transfers' tasks were watched to their end and forgotten


async def test_a_blob_that_is_not_there_makes_no_file(xe: Xe, tmp_path: Path) -> None:
    code, out, err = await xe("blob-get", "uuid=none", f"filename={tmp_path}/got")

    assert (code, out, err) == (1, "", "No object of this class has this uuid.\ntype: blob\nuuid: none\n")
    assert not (tmp_path / "got").exists()


async def test_no_file_is_written_over_and_none_is_made_up(xe: Xe, uuid: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")

    code, _, err = await xe("blob-get", f"uuid={uuid}", f"filename={tmp_path}/kept")
    assert (code, err) == (1, f"Error: The file {tmp_path}/kept cannot be made: File exists.\n")
    assert (tmp_path / "kept").read_text() == "mine"
    code, _, err = await xe("blob-put", f"uuid={uuid}", f"filename={tmp_path}/none")
    assert (code, err) == (1, f"Error: The file {tmp_path}/none cannot be read: No such file or directory.\n")
