"""What a page's address holds: anybody can write anything there."""

from typing import Annotated

from pydantic import AfterValidator

from gateway.domain.storable import storable

#: An id or a filter in an address. PostgreSQL refuses NUL even in a question: here it finds nothing.
FromAddress = Annotated[str, AfterValidator(storable)]
