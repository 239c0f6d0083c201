"""The demo's jobs, submitted as any app would: over HTTP, with an app key."""

import logging
from collections.abc import Sequence

import httpx2

UNFINISHED = ("queued", "running", "waiting")

_log = logging.getLogger(__name__)


def submit_samples(url: str, key: str, prompts: Sequence[str]) -> None:
    """One job per prompt is submitted, unless earlier ones of this app are unfinished; a failure is only logged."""
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=30.0) as http:
            if any(_has_jobs(http, status) for status in UNFINISHED):
                return
            for prompt in prompts:
                http.post("/api/v1/jobs", json={"input": prompt}).raise_for_status()
    except httpx2.HTTPError as error:
        _log.warning("no sample jobs", extra={"event": "demo.no_samples", "error": type(error).__name__})


def _has_jobs(http: httpx2.Client, status: str) -> bool:
    answer = http.get("/api/v1/jobs", params={"status": status, "limit": 1}).raise_for_status()
    return bool(answer.json()["items"])
