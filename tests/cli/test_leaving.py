"""A process that was told to end does not wait for a call that takes too long, whoever began it."""

import subprocess
import sys

import pytest

BUSY = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
from gateway.cli.stopping import leave_running_calls
from gateway.engine.direct import WORK_THREADS

begun = threading.Event()
pool = ThreadPoolExecutor(1, thread_name_prefix=WORK_THREADS)

def work():
    begun.set()
    time.sleep(60)

threading.Thread(target=pool.submit, args=(work,), daemon={daemon}).start()
begun.wait()
pool.shutdown(wait=False)
leave_running_calls()
"""


@pytest.mark.parametrize("daemon", [True, False])
def test_process_ends_while_a_call_runs(daemon: bool) -> None:
    ended = subprocess.run([sys.executable, "-c", BUSY.format(daemon=daemon)], timeout=40, check=False)
    assert ended.returncode == 0
