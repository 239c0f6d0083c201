"""Ids in addresses: what does not look like one of ours is not looked up."""

import re
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from gateway.errors import NotFound

_FORM = re.compile(r"[a-z]{3,4}_[0-9a-z]{26}")


def check_id(value: str) -> str:
    """The value. Raises: NotFound for what is no id of ours."""
    if not _FORM.fullmatch(value):
        raise NotFound
    return value


#: Who asks is found out first: without a credential the answer is 401, whatever the id.
JobId = Annotated[str, AfterValidator(check_id), Path(examples=["job_01kq8v2m4xw7c0r6t9b3n5h1zd"])]
ApprovalId = Annotated[str, AfterValidator(check_id), Path(examples=["apr_01kq8v2m4xw7c0r6t9b3n5h1zd"])]
DeliveryId = Annotated[str, AfterValidator(check_id), Path(examples=["dlv_01kq8v2m4xw7c0r6t9b3n5h1zd"])]
