"""Run cells in a real kernel and read its messages one by one."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60


class Kernel:
    """Run this package in a kernel, and keep its messages in order."""

    def __init__(self, **env: str) -> None:
        self._env = env
        self.manager = KernelManager()
        self.manager._kernel_spec = KernelSpec(  # no installed spec: this interpreter
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python"
        )
        self.client: BlockingKernelClient
        self.messages: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1", **self._env}
        self.manager.start_kernel(env=env)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def send(self, code: str, *, is_console: bool = False) -> str:
        """Send a cell, as a notebook without a page does or as a console; return its message's id."""
        return str(self.client.execute(code, allow_stdin=is_console))

    def run(self, code: str, *, is_console: bool = False) -> list[dict[str, Any]]:
        """Run a cell to its end; return the messages it caused."""
        sent = self.send(code, is_console=is_console)
        self.wait(sent, lambda m: m["msg_type"] == "status" and m["content"]["execution_state"] == "idle")
        return self.of(sent)

    def wait(self, sent: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read messages until one of that cell fits."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            self.messages.append(message)
            if message["parent_header"].get("msg_id") == sent and condition(message):
                return message
        raise TimeoutError("no message of the kernel fits")

    def of(self, sent: str) -> list[dict[str, Any]]:
        """Return the messages of that cell."""
        return [m for m in self.messages if m["parent_header"].get("msg_id") == sent]


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    """Return the message types that a reader sees."""
    return [m["msg_type"] for m in messages if m["msg_type"] not in ("status", "execute_input")]


def errors(messages: list[dict[str, Any]]) -> list[str]:
    """Return the names of the errors."""
    return [m["content"]["ename"] for m in messages if m["msg_type"] == "error"]


def printed(messages: list[dict[str, Any]]) -> str:
    """Return the printed text."""
    return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")


@contextmanager
def kernel(renderer: str = "widget") -> Iterator[Kernel]:
    """Yield a kernel with the extension loaded."""
    with Kernel(VIBE_NOTEBOOK_RENDERER=renderer) as made:
        messages = made.run("import asyncio, vibe_notebook as vibe\n%load_ext vibe_notebook")
        assert kinds(messages) == []
        yield made
