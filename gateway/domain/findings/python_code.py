"""What Python code says that it would do: its imports and its calls, read from the text alone.

Code can hide all of this from a reader of its text. So these are hints of
where to look, and an empty list is no word for the code.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.domain.findings.finding import Finding
from gateway.domain.findings.strings import Text
from gateway.domain.shortening import shorten

MAX_CODE_CHARS = 20_000  #: parsing takes up to 7 µs for each
MAX_NAMED = 8

_FILE = "<arguments>"
# Odd escapes in somebody's code are no business of this process's log.
warnings.filterwarnings("ignore", module=re.escape(_FILE))

_CODE_NAMES = frozenset(
    {"code", "python", "python_code", "py", "script", "source", "source_code", "program", "snippet"}
)
_LOOKS_LIKE_CODE = re.compile(r"\bimport\s|\w ?\(|\bdef\s|^\s*\w+\s*=|\n", re.MULTILINE)
NOT_A_VERDICT = "This is a check of the text, not a verdict."


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of calls: by the module they are of, or by their own full name."""

    code: str
    words: str
    modules: frozenset[str]
    names: frozenset[str]


def _sort(code: str, words: str, modules: str, names: str = "") -> Sort:
    return Sort(code, words, frozenset(modules.split()), frozenset(names.split()))


SORTS = (
    _sort(
        "code_network", "Network",
        "socket ssl http urllib urllib3 requests httpx httpx2 aiohttp websockets websocket ftplib smtplib imaplib "
        "poplib telnetlib xmlrpc paramiko asyncssh boto3 botocore pymongo psycopg psycopg2 redis mysql grpc dns "
        "socketserver",
        "asyncio.open_connection asyncio.start_server",
    ),
    _sort(
        "code_process", "Processes",
        "subprocess multiprocessing pty ctypes cffi signal resource runpy",
        "os.system os.popen os.fork os.forkpty os.kill os.killpg os.execl os.execle os.execlp os.execlpe os.execv "
        "os.execve os.execvp os.execvpe os.spawnl os.spawnle os.spawnlp os.spawnv os.spawnve os.spawnvp os.posix_spawn "
        "os.posix_spawnp os.startfile os._exit os.setuid os.setgid os.putenv asyncio.create_subprocess_exec "
        "asyncio.create_subprocess_shell sys.exit",
    ),
    _sort(
        "code_files", "Files",
        "pathlib shutil tempfile glob fileinput zipfile tarfile sqlite3 mmap dbm shelve",
        "open io.open os.open os.remove os.unlink os.rename os.replace os.rmdir os.removedirs os.mkdir os.makedirs "
        "os.listdir os.scandir os.walk os.chmod os.chown os.symlink os.link os.truncate os.stat os.chdir codecs.open",
    ),
    _sort(
        "code_dynamic", "Code made at run time",
        "importlib marshal pickle dill cloudpickle code codeop",
        "eval exec compile __import__ globals locals vars getattr setattr delattr breakpoint builtins.eval "
        "builtins.exec builtins.compile builtins.__import__ sys.modules sys.settrace",
    ),
)  # fmt: skip


def is_code(text: Text) -> bool:
    """True for a value whose name says that it is code, and that looks it."""
    return not text.is_key and text.name.lower() in _CODE_NAMES and bool(_LOOKS_LIKE_CODE.search(text.value))


def find(text: Text) -> list[Finding]:
    """Imports, and calls that reach the network, processes, files or make code; or that the code was not read."""
    if not is_code(text):
        return []
    if len(text.value) > MAX_CODE_CHARS:
        message = f"This code is longer than {MAX_CODE_CHARS:,} characters: its calls were not checked."
        return [Finding("not_checked", text.pointer, message)]
    try:
        tree = ast.parse(text.value, _FILE)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        message = "This cannot be read as Python: its imports and calls were not checked."
        return [Finding("not_checked", text.pointer, message)]
    return list(_findings(tree, text.pointer))


def _findings(tree: ast.AST, pointer: str) -> Iterator[Finding]:
    nodes = list(ast.walk(tree))  # walk does not recurse: no depth of code is too deep for it
    known = dict(_imported(nodes))
    if known:
        modules = dict.fromkeys(name.partition(".")[0] for name in known.values())
        yield Finding("code_imports", pointer, f"Imports: {_listed(list(modules))}. {NOT_A_VERDICT}")
    used = [(name, line) for node in nodes for name, line in _used(node, known)]
    for sort in SORTS:
        lines: dict[str, int] = {}
        for name, line in used:
            if name in sort.names or name.partition(".")[0] in sort.modules:
                lines[name] = min(line, lines.get(name, line))
        if lines:
            places = [f"{name} on line {line}" for name, line in sorted(lines.items(), key=lambda item: item[1])]
            yield Finding(sort.code, pointer, f"{sort.words}: {_listed(places)}. {NOT_A_VERDICT}")


def _imported(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, and what it stands for."""
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    first = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (first, first)
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    yield alias.asname or alias.name, f"{module or '.'}.{alias.name}"


def _used(node: ast.AST, known: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The full name of what is called here, or of what a call could be made of later."""
    match node:
        case ast.Call(func=func):
            if name := _dotted(func, known):
                yield name, node.lineno
        case ast.Attribute() if isinstance(node.ctx, ast.Load):
            name = _dotted(node, known)
            if name and any(name in sort.names for sort in SORTS):
                yield name, node.lineno
        case ast.Name() if node.id in {"eval", "exec", "compile", "__import__", "open"}:
            yield node.id, node.lineno


def _dotted(node: ast.expr, known: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < 20:
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "__import__":
        return "__import__"
    if not isinstance(node, ast.Name):
        return None
    return ".".join([known.get(node.id, node.id), *reversed(parts)])


def _listed(names: list[str]) -> str:
    shown = [shorten(name, 80) for name in names[:MAX_NAMED]]
    return ", ".join(shown) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
