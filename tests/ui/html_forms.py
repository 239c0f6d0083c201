"""A page as a browser without JavaScript sees it: its words, its forms, and what a press on a button sends."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)  #: name and value of each


class Page(HTMLParser):
    """The parsed page. ``text`` is all that can be read, runs of white space as one space."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.marks: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._by_id: dict[str, Form] = {}
        self._late: list[tuple[str, str, str]] = []  # fields that stand outside of the form they belong to
        self._late_buttons: list[tuple[str, str, str]] = []
        self._open_forms: list[Form] = []
        self._textarea: tuple[str, str | None] | None = None
        self._select: tuple[str, str | None] | None = None
        self._is_mark = False
        self._words: list[str] = []
        self._value: list[str] = []
        self.feed(html)
        for form_id, name, value in self._late:
            self._by_id[form_id].fields[name] = value
        for form_id, name, value in self._late_buttons:
            self._by_id[form_id].buttons.append((name, value))

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())

    @property
    def ways_to_decide(self) -> list[str]:
        """Where the forms about calls lead, but for the search's and the sign-out."""
        return [form.action for form in self.forms if form.method == "post" and form.action.startswith("/approvals/")]

    def form(self, action: str) -> Form:
        """The form that leads there; where a page offers it twice, both must send the same."""
        found, *others = [form for form in self.forms if form.action == action]
        assert all(other == found for other in others)
        return found

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        started = {
            "form": self._start_form,
            "a": lambda given: self.links.append(given.get("href") or ""),
            "input": self._input,
            "textarea": self._start_textarea,
            "select": self._start_select,
            "option": self._choose,
            "button": self._start_button,
        }.get(tag)
        if started:
            started(given)
        self._is_mark = tag == "span" and given.get("class") == "mark"

    def handle_endtag(self, tag):
        match tag:
            case "form":
                self._open_forms.pop()
            case "select":
                self._select = None
            case "span":
                self._is_mark = False
            case "textarea" if self._textarea:
                name, form_id = self._textarea
                # A browser drops the first line break of a text area.
                self._set(form_id, name, "".join(self._value).removeprefix("\n"))
                self._textarea = None

    def handle_data(self, data):
        if self._textarea:
            self._value.append(data)
        elif self._is_mark:
            self.marks.append(data)
            self._words.append(f"[{data}]")
        else:
            self._words.append(data)

    def _start_form(self, given):
        form = Form(given.get("action") or "", given.get("method") or "get")
        self.forms.append(form)
        self._open_forms.append(form)
        if given.get("id"):
            self._by_id[given["id"]] = form

    def _input(self, given):
        if given.get("type") != "checkbox" or "checked" in given:
            self._set(given.get("form"), given.get("name"), given.get("value") or "")

    def _start_textarea(self, given):
        self._textarea, self._value = (given["name"], given.get("form")), []

    def _start_select(self, given):
        self._select = (given["name"], given.get("form"))
        self._set(given.get("form"), given["name"], "")

    def _choose(self, given):
        if self._select and "selected" in given:
            name, form_id = self._select
            self._set(form_id, name, given["value"] or "")

    def _start_button(self, given):
        if given.get("form"):
            self._late_buttons.append((given["form"], given["name"], given["value"]))
        elif given.get("name"):
            self._open_forms[-1].buttons.append((given["name"], given["value"]))

    def _set(self, form_id, name, value):
        if not name:
            return
        if form_id:
            self._late.append((form_id, name, value))
        elif self._open_forms:
            self._open_forms[-1].fields[name] = value


def as_sent(fields: dict[str, str]) -> dict[str, str]:
    """The fields as a browser sends a native form: every line break is CR and LF."""
    return {name: value.replace("\r\n", "\n").replace("\n", "\r\n") for name, value in fields.items()}
