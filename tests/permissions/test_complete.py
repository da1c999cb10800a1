"""No address without a row in the matrix, and no method that nobody thought of."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from tests.permissions.table import rows

# Without a name nothing leads there: old addresses that lead to the named ones.
NAMELESS = {
    "admin/(?P<url>.*)$",
    "accounts/social/login/cancelled/",
    "accounts/social/login/error/",
    "accounts/social/signup/",
    "accounts/social/connections/",
}


def addresses(
    of: URLResolver, spaces: tuple[str, ...] = (), route: str = ""
) -> Iterator[tuple[str, str]]:
    """Every address that is known: its name, empty where it has none, and its route."""
    for each in of.url_patterns:
        path = route + str(each.pattern)
        if isinstance(each, URLPattern):
            yield ":".join((*spaces, each.name)) if each.name else "", path
        else:
            inside = (*spaces, each.namespace) if each.namespace else spaces
            yield from addresses(each, inside, path)


def test_every_address_has_a_row() -> None:
    in_table = {row.name for row in rows()}
    known = {name for name, _ in addresses(get_resolver()) if name}

    assert known - in_table == set(), "add a row to tests/permissions/matrix.txt"
    assert in_table - known == set(), "these rows are of addresses that are gone"


def test_addresses_without_a_name_are_redirects_only() -> None:
    nameless = {route for name, route in addresses(get_resolver()) if not name}
    rows_of_the_admin_site = {route for route in nameless if route.endswith("<path:object_id>/")}

    assert nameless - rows_of_the_admin_site <= NAMELESS


def test_no_row_is_there_twice() -> None:
    names = [str(row) for row in rows()]

    assert sorted(names) == sorted(set(names))
