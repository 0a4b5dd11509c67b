"""`romaine inspect`: a page for who sits at this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from romaine.errors import OptionError
from romaine.memory import RoleplayMemory, Scope
from romaine.server.inspecting import inspect_memory

httpx = pytest.importorskip("httpx")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "memories.db"
    with RoleplayMemory(path) as memory:
        memory.add_lore(Scope(user="ana", chat="tavern"), "The tavern has no windows.")
    return path


def test_the_address_opens_the_page_once_and_ctrl_c_ends_it(path):
    command = [sys.executable, "-m", "romaine", "inspect", str(path), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/page/enter\?once=\S+", process.stdout.readline())[0]
            with httpx.Client(follow_redirects=True, timeout=60) as browser:
                assert "tavern" in browser.get(address).text
                assert "was used already" in httpx.get(address, timeout=60).text
                base = address.partition("/page")[0]
                assert httpx.get(f"{base}/v1/memory/scopes?user=ana", timeout=60).status_code == 401
                assert browser.get(f"{base}/v1/memory/export?user=ana&chat=tavern").status_code == 200
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()


def test_a_file_that_is_not_there_is_told_before_anything_is_served(tmp_path):
    missing = tmp_path / "nothing.db"
    command = [sys.executable, "-m", "romaine", "inspect", str(missing), "--no-browser"]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120)
    assert ended.returncode == 1
    assert "is not there" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not missing.exists()


def test_a_port_that_is_taken_is_told(path, socket_enabled):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"port={port} cannot be listened on"):
            inspect_memory(str(path), model="little-gem", port=port, ready=print)
