"""Broken job and mapping files: whatever stands in them, `cshub validate` names file, reason and remedy."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML
from typer.testing import CliRunner

from cshub.cli.app import app
from cshub.settings import PROJECT
from tests.campaigns.fuzz_findings import Count, Findings
from tests.campaigns.fuzz_secrets import Watch

LONGEST_S = 20.0
SECRETS = ("planted-Chorus/secret+1", "planted-Totango/secret+2", "planted-Consumer/secret+3")
_ODD: Sequence[Callable[[Random], Any]] = (
    lambda rng: None,
    lambda rng: rng.choice((True, False)),
    lambda rng: rng.choice((0, -1, 1, 59, 10**40, 1e308, float("nan"), float("inf"), -0.0)),
    lambda rng: rng.choice(
        ("", " ", "\n", "a\tb", "ä" * 300, "x" * 200_000, "*/5 * * * *", "../../etc/passwd", "\u202e")
    ),
    lambda rng: rng.choice(
        ("system", "salesforce", "totango", "event", "subject", "Id", "newest", "{{ds}}", "${HOME}")
    ),
    lambda rng: rng.choice(([], {}, [[]], [None], [{}], {"": ""}, {"a": {"b": {"c": []}}}, [1, "2", None, {"x": 1}])),
    lambda rng: _nested(rng.choice((30, 200))),
    lambda rng: [{"source": f"f{number}", "target": f"t{number}"} for number in range(rng.choice((1, 50)))],
)
_TAILS = (
    "a: &a [*a]\n",
    "a: &a {b: *a}\n",
    "<<: *nowhere\n",
    "a: *nowhere\n",
    "a: !!python/object/apply:os.system ['true']\n",
    "a: !unknown b\n",
    "---\nversion: 1\n",
    "%YAML 9.9\n---\n",
    "- a\n",
    "a: 'never closed\n",
    "a: {b: [c\n",
    "\t\ta: b\n",
    "? [complex, key]\n: value\n",
    "? {a: b}\n: value\n",
    "a: 2026-13-45\nb: 2026-11-20T10:00:00Z\n",
    "a: 0o777\nb: 0x1F\nc: 1_000\nd: 12:30:45\n",
    "a: \x07\n",
    "a: \ud83d\n",
)


def check(number: int, files: int) -> Findings:
    """``files`` broken files under the seed ``number``, each shown to the command as for people and as JSON."""
    findings, rng = Findings(), Random(f"files {number}")
    watch = Watch(findings)
    watch.guard(*SECRETS)
    with TemporaryDirectory() as folder, _surroundings(Path(folder)):
        ground = _Ground(Path(folder), rng, findings, watch, number)
        ground.sound()
        for at in range(files):
            ground.broken(at)
    return findings


class _Ground:
    """A jobs folder and a mappings folder in which one file at a time is broken."""

    def __init__(self, folder: Path, rng: Random, findings: Findings, watch: Watch, number: int) -> None:
        self._folder, self._rng, self._findings, self._watch, self._number = folder, rng, findings, watch, number
        self._paths = sorted([*(folder / "jobs").glob("*.yaml"), *(folder / "mappings").glob("*.yaml")])
        self._runner = CliRunner()

    def sound(self) -> None:
        """The shipped files are valid as they are."""
        self._judge("nothing", [], must_fail=False, must_hold=True)

    def broken(self, at: int) -> None:
        rng = self._rng
        path = rng.choice(self._paths)
        name, spoil = rng.choice(list(_SPOILERS.items()))
        before = path.read_bytes()
        after, must_fail = spoil(rng, before)
        path.write_bytes(after)
        shape = f"{name} in {path.parent.name}/{path.name} (file {at}, seed {self._number})"
        try:
            self._judge(shape, [path.stem], must_fail=must_fail)
            if rng.random() < 0.2:
                self._judge(f"{shape}, by path", [str(self._folder / "jobs" / path.name)], must_fail=must_fail)
        finally:
            path.write_bytes(before)

    def _judge(self, what: str, names: Sequence[str], *, must_fail: bool, must_hold: bool = False) -> None:
        self._findings.counts[Count.FILES] += 1
        begun = time.process_time()
        code, document = self._ask(what, ["validate", *names, "--json"])
        spent = time.process_time() - begun
        if spent > LONGEST_S:
            self._findings.wrong(Count.UNNAMED, f"{what}: takes {spent:.0f} s")
        told_code = code
        if must_hold or self._rng.random() < 0.3:
            told_code, _ = self._ask(what, ["validate", *names])
            self._ask(what, ["test", *names])
        try:
            told = json.loads(document)
        except ValueError:
            self._findings.wrong(Count.UNNAMED, f"{what}: no JSON: {document[:300]!r}")
            return
        faults = [fault for job in told.get("jobs", ()) for fault in job["faults"]]
        faults += told.get("error", {}).get("faults", ())
        wanted = int(bool(faults) or "error" in told)
        if (code, told_code) != (wanted, wanted) or (must_fail and code == 0) or (must_hold and code != 0):
            self._findings.wrong(Count.UNNAMED, f"{what}: exit status {code} and {told_code}: {document[:500]}")
        for fault in faults:
            is_file = (Path.cwd() / fault["file"]).exists()
            if not (is_file and fault["field"] and fault["reason"].strip() and fault["remedy"].strip()):
                self._findings.wrong(Count.UNNAMED, f"{what}: {fault}")

    def _ask(self, what: str, arguments: Sequence[str]) -> tuple[int, str]:
        """Exit status and standard output; both outputs are searched for tracebacks and secrets."""
        result = self._runner.invoke(app, list(arguments), prog_name="cshub")
        text = f"{result.stdout}{result.stderr}"
        self._watch.look(f"{what}, {arguments[0]}", text)
        escaped = result.exception is not None and not isinstance(result.exception, SystemExit)
        if escaped or "Traceback" in text or "Unexpected " in result.stderr:
            shown = f"{type(result.exception).__name__}: {result.exception}" if escaped else result.stderr
            self._findings.wrong(Count.TRACEBACKS, f"{what}: {shown[:600]}")
        return result.exit_code, result.stdout


def _bytes(rng: Random, content: bytes) -> tuple[bytes, bool]:
    spoiled = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(spoiled) + 1)
        match rng.randrange(4):
            case 0:
                spoiled[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del spoiled[at : at + rng.randint(1, 40)]
            case 2:
                spoiled[at:at] = rng.choice(
                    (b":", b"\n", b"\t", b"\x00", b"\xff\xfe", b"- ", b"{", b'"', b"&a ", b"*a ", b"#")
                )
            case 3:
                spoiled[at:at] = spoiled[rng.randrange(len(spoiled) + 1) :][: rng.randint(1, 120)]
    return bytes(spoiled), False


def _replaced(rng: Random, content: bytes) -> tuple[bytes, bool]:
    noise = bytes(rng.randrange(256) for _ in range(rng.choice((1, 50, 5000))))
    text = content.decode()
    choices: Sequence[tuple[bytes, bool]] = (
        (b"", True),
        (b"\n\n# nothing\n", True),
        (b"null\n", True),
        (b"- 1\n- 2\n", True),
        (b"just words\n", True),
        (b"\x00" * 100, True),
        (b"PK\x03\x04" + noise, True),
        (b"\xff" + noise, True),
        (content[: rng.randrange(1, 40)], True),
        (text.encode("utf-16"), True),
        (text.encode("utf-8-sig"), False),
        (text.replace("\n", "\r\n").encode(), False),
        (text.replace("  ", "\t").encode(), True),
        (content + content, True),
        (b"a: " + b"[" * 150 + b"]" * 150, True),
        (b"a: " + b"{a: " * 900 + b"}" * 900, True),
        (_laughs(rng.choice((3, 12))), True),
        (content + _laughs(12), True),
    )
    return rng.choice(choices)


def _appended(rng: Random, content: bytes) -> tuple[bytes, bool]:
    key = content.decode().split("\n")[rng.randrange(1, 4)]
    tail = rng.choice((*_TAILS, f"{key}\n", f"surplus_{rng.randrange(9)}: 1\n"))
    return content + tail.encode("utf-8", "surrogatepass"), True


def _tree(rng: Random, content: bytes) -> tuple[bytes, bool]:
    root = YAML(typ="safe").load(content)
    must_fail = False
    for _ in range(rng.randint(1, 3)):
        holder, key = rng.choice(list(_places(root)))
        match rng.randrange(5):
            case 0 | 1:
                holder[key] = rng.choice(_ODD)(rng)
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[f"{key}x"] = holder.pop(key)
            case 3 | 4:
                other, place = rng.choice(list(_places(root)))
                if not any(inner is holder for inner in _values(other[place])):
                    holder[key] = deepcopy(other[place])
    if rng.random() < 0.3:
        root["surplus"], must_fail = rng.choice(_ODD)(rng), True
    out = StringIO()
    YAML(typ="safe", pure=True).dump(root, out)
    return out.getvalue().encode("utf-8", "surrogatepass"), must_fail


_SPOILERS: Mapping[str, Callable[[Random, bytes], tuple[bytes, bool]]] = {
    "changed bytes": _bytes,
    "another file": _replaced,
    "an odd end": _appended,
    "a changed tree": _tree,
    "a tree changed otherwise": _tree,
}


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    pairs: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(node, dict):
        pairs = iter(list(node.items()))
    elif isinstance(node, list):
        pairs = enumerate(list(node))
    for key, value in pairs:
        yield node, key
        yield from _places(value)


def _values(node: Any) -> Iterator[Any]:
    yield node
    for holder, key in _places(node):
        yield holder[key]


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def _laughs(levels: int) -> bytes:
    """Aliases of aliases: nine times as many values with each line."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines).encode() + b"\n"


@contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """The shipped files copied into ``folder``, and an environment with connections whose secrets are known."""
    for name in ("jobs", "mappings"):
        shutil.copytree(PROJECT / "include" / name, folder / name)
    consumer = {"domain": "test", "consumer_key": "key", "consumer_secret": SECRETS[2]}
    connections = {
        "CHORUS": {"conn_type": "chorus", "password": SECRETS[0]},
        "TOTANGO": {"conn_type": "totango", "password": SECRETS[1]},
        "SALESFORCE": {"conn_type": "salesforce", "extra": consumer},
    }
    wanted = {
        "CSHUB_JOBS_DIR": str(folder / "jobs"),
        "CSHUB_MAPPINGS_DIR": str(folder / "mappings"),
        "CSHUB_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
        "CSHUB_STAGING_URL": (folder / "staging").as_uri(),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "NO_COLOR": "1",
        "COLUMNS": "100",
        **{f"AIRFLOW_CONN_{name}_DEFAULT": json.dumps(fields) for name, fields in connections.items()},
    }
    before = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
