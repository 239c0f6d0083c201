"""One thing that a check found."""

from dataclasses import dataclass

#: Codes of an approval's warnings that only inform: a call may be decided without having read them.
INFORMING = frozenset({"arguments_not_text", "code_imports", "link"})


@dataclass(frozen=True, slots=True)
class Finding:
    """``code`` is stable; ``message`` is a sentence for people that quotes nothing hidden and no secret."""

    code: str
    path: str  #: JSON Pointer into the arguments
    message: str

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "path": self.path, "message": self.message}
