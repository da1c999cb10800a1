"""The sentences that the pure middle says, read from its syntax trees."""

import ast
import re
from collections.abc import Iterator
from typing import Final

# Not for people: what goes to logs and to the database, what describes the API, plain bugs.
_NOT_SAID: Final = {
    "logger", "ValueError", "TypeError", "RuntimeError", "AssertionError", "LookupError",
    "extend_schema", "extend_schema_field", "OpenApiParameter", "OpenApiExample", "RunSQL",
    "execute", "raw", "print", "TypeVar", "getLogger", "compile", "inline_serializer",
    "OpenApiResponse", "import_string", "strftime", "strptime", "Gauge", "Counter", "Histogram",
}  # fmt: skip
_SQL: Final = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|FROM|WHERE|AND|ORDER|JOIN|LEFT|SET|LOCK|CASE)\b"
    r"|::|%s| = %|\bNULL\b|\bFROM\b|\bAS\b"
)
_SAID: Final = re.compile(r"[A-Za-z\u2019']{2,}[,:;]? ")


def sentences_of(source: str) -> Iterator[str]:
    """Yield each text of two words or more; what a text is filled with becomes ``{0}``, ``{1}``."""
    yield from _Walk().found(ast.parse(source))


class _Walk(ast.NodeVisitor):
    def found(self, tree: ast.AST) -> list[str]:
        self._texts: dict[str, None] = {}
        self.visit(tree)
        return list(self._texts)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        names = {each.id for each in ast.walk(node.func) if isinstance(each, ast.Name)} | {
            each.attr for each in ast.walk(node.func) if isinstance(each, ast.Attribute)
        }
        if not names & _NOT_SAID:
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._keep(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts, places = [], 0
        for each in node.values:
            if isinstance(each, ast.Constant):
                parts.append(str(each.value))
            else:
                parts.append(f"{{{places}}}")
                places += 1
                self.visit(each.value if isinstance(each, ast.FormattedValue) else each)
        self._keep("".join(parts))

    def _keep(self, text: str) -> None:
        told = text.strip()
        if _SAID.search(f"{told} ") and " " in told and not _SQL.search(told):
            self._texts[told] = None
