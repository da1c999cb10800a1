"""``make messages``: gather every text, merge it into the catalogs, compile them.

Four catalogs a language, by where a text is said:

* ``django``: templates and Python that mark it with gettext;
* ``sentences``: what the pure middle says in English, whole or with ``{places}``, which the edges
  recognise and say in the reader's language (gpuaas/core/sentences.py);
* ``scripts``: JavaScript's, compiled to a script that pages of that language load.
"""

import ast
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final, TypeAlias

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from onebox.sentences import sentences_of

ROOT: Final = Path(__file__).parents[1]
_NO_DATE: Final = datetime(2026, 1, 1, tzinfo=UTC)  # the same texts are the same file
LANGUAGES: Final = ("de",)
PACKAGES: Final = ("gpuaas", "reservations", "sessions", "tokenomics", "reconciler")
# Whose sentences reach pages and mails; the rest is for programs, operators and files.
_SAYING: Final = (
    "gpuaas/accounts/services",
    "gpuaas/core/words.py",
    "gpuaas/inventory",
    "gpuaas/notifications",
    "gpuaas/feeds/services.py",
    "gpuaas/api/limits.py",
    "reservations",
    "sessions/services",
    "sessions/attendance.py",
    "tokenomics/core",
    "tokenomics/documents.py",
    "tokenomics/services",
    "reconciler/plain_words.py",
    "reconciler/phases",
    "reconciler/provision.py",
    "reconciler/terminating.py",
)
_FOR_PROGRAMS: Final = (
    "gpuaas/inventory/admin",
    "gpuaas/inventory/models.py",
    "gpuaas/notifications/admin.py",
    "gpuaas/notifications/models.py",
    "reservations/admin",
    "reservations/models.py",
    "reservations/usage.py",
    "reservations/selectors.py",
    "tokenomics/core/engines",
    "tokenomics/core/exposition.py",
    "tokenomics/core/telemetry.py",
    "tokenomics/core/deltas.py",
    "tokenomics/services/usage.py",
    "tokenomics/services/meters.py",
)
ID: TypeAlias = str | tuple[str, str]
Found: TypeAlias = tuple[
    ID, str | None
]  # the message, singular and plural where it has both; context
_STRING: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_IN_TEMPLATE: Final = re.compile(
    rf"\b(n?p?gettext|_)\(\s*u?({_STRING})(?:\s*,\s*u?({_STRING}))?(?:\s*,\s*u?({_STRING}))?"
)
_IN_SCRIPT: Final = re.compile(rf"\bgettext\(\s*({_STRING})")
_SINGLE: Final = {"_", "gettext", "gettext_lazy", "later", "gettext_noop"}
_PLURAL: Final = {"ngettext", "ngettext_lazy"}
_IN_CONTEXT: Final = {"pgettext", "pgettext_lazy"}


def from_python(text: str) -> Iterator[Found]:
    """Find what Python marks."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        said = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        words = [each for each in said if isinstance(each, str)]
        if node.func.id in _SINGLE and words:
            yield words[0], None
        elif node.func.id in _PLURAL and len(words) > 1:
            yield (words[0], words[1]), None
        elif node.func.id == "plural" and words:  # of gpuaas.portal.wording
            one, many = words[0], words[1] if len(words) > 1 else f"{words[0]}s"
            yield (f"%d {one}", f"%d {many}"), None
        elif node.func.id in _IN_CONTEXT and len(words) > 1:
            yield words[1], words[0]


def from_template(text: str) -> Iterator[Found]:
    """Find what a template marks."""
    from django.utils.translation.template import templatize  # noqa: PLC0415 -- after the settings

    for call, *raw in _IN_TEMPLATE.findall(templatize(text)):
        words = [ast.literal_eval(each) for each in raw if each]
        match call:
            case "ngettext":
                yield (words[0], words[1]), None
            case "pgettext":
                yield words[1], words[0]
            case _:
                yield words[0], None


def from_script(text: str) -> Iterator[Found]:
    """Find what a script marks."""
    for raw in _IN_SCRIPT.findall(text):
        yield ast.literal_eval(raw), None


def from_domain(text: str) -> Iterator[Found]:
    """Find the sentences of the middle."""
    for sentence in sentences_of(text):
        yield sentence, None


def gathered(domain: str) -> Catalog:
    """Return the texts of today, without translations."""
    catalog = Catalog(domain=domain, charset="utf-8", fuzzy=False)
    for reader, files in _SOURCES[domain]():
        for path in files:
            for found, context in reader(path.read_text("utf-8")):
                flags = _format_of(found)
                catalog.add(
                    found,
                    context=context,
                    locations=[(str(path.relative_to(ROOT)), 0)],
                    flags=flags,
                )
    return catalog


def kept(domain: str, language: str) -> Catalog:
    """Return the catalog as it is kept; empty when there is none yet."""
    path = po_path(domain, language)
    if not path.exists():
        return Catalog(locale=language, domain=domain, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=domain)


def po_path(domain: str, language: str) -> Path:
    """Return where a catalog is kept."""
    return ROOT / f"locale/{language}/LC_MESSAGES/{domain}.po"


def compiled_path(domain: str, language: str) -> Path:
    """Return where what the product reads of it is."""
    if domain == "scripts":
        return ROOT / f"gpuaas/portal/assets/portal/words-{language}.js"
    return po_path(domain, language).with_suffix(".mo")


def compiled(domain: str, catalog: Catalog) -> bytes:
    """Return what the product reads; the same catalog gives the same bytes."""
    if domain == "scripts":
        words = {str(each.id): each.string for each in catalog if each.id and each.string}
        text = json.dumps(words, ensure_ascii=False, indent=1, sort_keys=True)
        return f"window.gpuaasWords = {text};\n".encode()
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def update(domain: str, language: str) -> int:
    """Merge today's texts into what is kept, compile; return how many lack a translation."""
    catalog = kept(domain, language)
    catalog.update(gathered(domain), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.header_comment = f"# {language}: {domain}. Gathered by `make messages`."
    catalog.creation_date = catalog.revision_date = _NO_DATE
    catalog.project, catalog.version = "GPUaaS", "1"
    catalog.last_translator = catalog.language_team = catalog.msgid_bugs_address = "GPUaaS"
    po_path(domain, language).parent.mkdir(parents=True, exist_ok=True)
    file = BytesIO()
    write_po(file, catalog, width=0, sort_output=True, include_lineno=False)
    po_path(domain, language).write_bytes(file.getvalue().rstrip() + b"\n")
    compiled_path(domain, language).write_bytes(compiled(domain, kept(domain, language)))
    return sum(1 for each in catalog if each.id and not _is_whole(each.string))


def _is_whole(string: object) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)


def _format_of(found: ID) -> tuple[str, ...]:
    text = found if isinstance(found, str) else found[1]
    return ("python-format",) if re.search(r"%\(\w+\)s", text) else ()


def _python(*folders: str) -> list[Path]:
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in paths if not {"migrations", "management"} & set(path.parts)]


_Reader: TypeAlias = Callable[[str], Iterator[Found]]
_Sources: TypeAlias = Iterable[tuple[_Reader, list[Path]]]


def _django() -> _Sources:
    templates = [each for each in sorted((ROOT / "templates").rglob("*")) if each.is_file()]
    return [(from_template, templates), (from_python, _python(*PACKAGES))]


def _sentences() -> _Sources:
    return [(from_domain, [path for path in _python(*PACKAGES) if _is_read_by_people(path)])]


def _is_read_by_people(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return name.startswith(_SAYING) and not name.startswith(_FOR_PROGRAMS)


def _scripts() -> _Sources:
    own = (ROOT / "gpuaas/portal/assets/portal").glob("*.js")
    return [(from_script, sorted(path for path in own if not path.name.startswith("words-")))]


_SOURCES: Final = {"django": _django, "sentences": _sentences, "scripts": _scripts}
DOMAINS: Final = tuple(_SOURCES)


def main() -> None:
    """Update every catalog; fail while a text has no translation."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gpuaas.settings.test")
    sys.path.insert(0, str(ROOT))
    missing = 0
    for language in LANGUAGES:
        for domain in DOMAINS:
            lacks = update(domain, language)
            missing += lacks
            print(f"  {language} {domain}: {lacks} without a translation")
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
