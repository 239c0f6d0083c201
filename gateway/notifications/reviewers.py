"""Telling reviewers at the installation's own address, by any service that apprise knows."""

import logging
import re
from typing import Any

from gateway.domain.delivery import Outcome
from gateway.errors import InvalidSetting
from gateway.usecases.notices import Notice
from gateway.web.address import Site

#: What would be told to this machine alone, or run something on it.
LOCAL_SCHEMES = frozenset(
    {"blink1", "dbus", "exec", "file", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  #: as tools are called
_SEVERAL = re.compile(r"[\s,]+[a-z0-9]+://", re.IGNORECASE)


class Reviewers:
    """Where reviewers are told that calls wait for them. Safe to use from any thread."""

    def __init__(self, url: str, public_url: str | None) -> None:
        """Raises: InvalidSetting; the address is not repeated in its words, for it may hold a password."""
        if public_url is None:
            raise InvalidSetting("COUNTERSIGN_NOTIFY_URL needs COUNTERSIGN_PUBLIC_URL, for the links in its messages.")
        self._site = Site(public_url)
        self._service = _service_of(url)

    def tell(self, notice: Notice) -> Outcome:
        """How it ended. It waits for the service, whose pace is not ours."""
        title, body = words_of(notice, self._site)
        try:
            is_delivered = bool(self._service.notify(title=title, body=body))
        except Exception as error:  # the services are many, and none of them may end the sender
            return _failed(f"The notification service failed ({type(error).__name__}).")
        return Outcome(is_delivered=True) if is_delivered else _failed("The notification service did not take it.")


def words_of(notice: Notice, site: Site) -> tuple[str, str]:
    """Title and body: what a call is and where it is decided; neither arguments nor the words of a model."""
    count = len(notice.rows)
    if count == 1:
        # A program may call its action anything: a sentence, a link, a mention of everybody.
        title = f"{notice.action if _NAME.fullmatch(notice.action) else 'A request'} waits for a decision"
        return title, f"Risk: {notice.risk}\n{site.review_url(notice.approval_id)}"
    return f"{count} calls wait for a decision", f"{site.public_url}/"


def _service_of(url: str) -> Any:
    scheme = url.partition("://")[0].strip().lower()
    if scheme in LOCAL_SCHEMES:
        raise InvalidSetting(f"COUNTERSIGN_NOTIFY_URL: {scheme}:// tells this machine alone: no reviewer would know.")
    if _SEVERAL.search(url):
        raise InvalidSetting("COUNTERSIGN_NOTIFY_URL names one address: of two the second one would never be told.")
    # It takes half a second, which only those need who are told.
    import apprise

    # Its words may quote addresses with the secrets in them.
    log = logging.getLogger("apprise")
    log.propagate = False
    log.addHandler(logging.NullHandler())
    asset = apprise.AppriseAsset(
        app_id="Countersign",
        app_desc="Countersign",
        app_url="",
        async_mode=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise InvalidSetting("COUNTERSIGN_NOTIFY_URL is no address of a service that apprise knows.")
    return service


def _failed(error: str) -> Outcome:
    return Outcome(is_delivered=False, error=error)
