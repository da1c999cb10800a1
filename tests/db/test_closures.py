"""When hardware is closed, and what the database itself refuses."""

import pytest
from django.db import IntegrityError, transaction

from gpuaas.inventory import selectors
from gpuaas.inventory.models import Closure, ClosureKind, Node
from tests import make

pytestmark = pytest.mark.django_db


def test_a_pools_closures_are_its_own_and_its_nodes() -> None:
    pool, other = make.pool(nodes=2), make.pool()
    of_pool = make.closure(of=pool, at=make.window(0, 10))
    of_node = make.closure(of=Node.objects.filter(pool=pool).earliest("pk"), at=make.window(2, 3))
    make.closure(of=other, at=make.window(0, 10))
    make.closure(of=pool, at=make.window(10, 11), canceled_at=make.NOON)

    assert list(selectors.closures_of(pool, within=make.window(1, 20))) == [of_pool, of_node]


@pytest.mark.parametrize(
    ("first_hour", "last_hour", "found"),
    [(0, 5, 0), (0, 5.1, 1), (5, 10, 1), (9.9, 20, 1), (10, 20, 0), (6, 7, 1), (0, 20, 1)],
)
def test_closures_are_half_open_like_windows(
    first_hour: float, last_hour: float, found: int
) -> None:
    pool = make.pool()
    make.closure(of=pool, at=make.window(5, 10))

    within = make.window(first_hour, last_hour)

    assert selectors.closures_of(pool, within=within).count() == found


def test_the_database_refuses_a_closure_of_everything_and_of_nothing() -> None:
    made = make.closure(of=make.pool(), at=make.window(0, 1))

    for nonsense in ({"pool": None}, {"node": make.node()}):
        with pytest.raises(IntegrityError, match="closure_of_a_pool"), transaction.atomic():
            Closure.objects.filter(pk=made.pk).update(**nonsense)


def test_the_database_refuses_the_same_closure_twice_until_the_first_is_cancelled() -> None:
    pool = make.pool()
    first = make.closure(of=pool, at=make.window(0, 5))
    make.closure(of=pool, at=make.window(5, 6))
    make.closure(of=pool, at=make.window(0, 5), kind=ClosureKind.BLACKOUT)

    with pytest.raises(IntegrityError, match="closure_once_per_pool"), transaction.atomic():
        make.closure(of=pool, at=make.window(4, 6))

    Closure.objects.filter(pk=first.pk).update(canceled_at=make.NOON)
    assert make.closure(of=pool, at=make.window(3, 5)).pk
