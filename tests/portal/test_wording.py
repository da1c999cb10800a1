"""`gpuaas.portal.wording` and the template tags on top of it."""

from datetime import timedelta

import pytest
from django.template import Context, Template

from gpuaas.portal import wording
from gpuaas.portal.templatetags import units
from tests import make


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (wording.memory(512), "512 MiB"),
        (wording.memory(16 * 1024), "16 GiB"),
        (wording.memory(1536), "1.5 GiB"),
        (wording.gpu_memory(97_887), "96 GB"),
        (wording.gpu_memory(24_064), "24 GB"),
        (wording.storage(600), "600 GiB"),
        (wording.storage(2560), "2.5 TiB"),
        (wording.cores(1_000), "1 core"),
        (wording.cores(25_000), "25 cores"),
        (wording.cores(500), "0.5 cores"),
        (wording.duration(timedelta(days=2, hours=3, minutes=4)), "2 d 3 h"),
        (wording.duration(timedelta(minutes=45)), "45 min"),
        (wording.duration(timedelta(seconds=12)), "12 s"),
        (wording.duration(timedelta(seconds=-5)), "0 s"),
        (wording.resource(make.GPU), "Whole GPU"),
        (wording.resource(make.SLICE), "MIG slice 1g.24gb"),
        (wording.resource("example.com/fpga"), "example.com/fpga"),
        (wording.product("NVIDIA-RTX-PRO-6000-MIG-1g.24gb"), "NVIDIA RTX PRO 6000"),
        (wording.instant(make.NOON), "1 Mar 2026, 12:00 UTC"),
    ],
)
def test_quantities_are_said_as_people_say_them(said: str, meant: str) -> None:
    assert said == meant


@pytest.mark.parametrize(
    ("gib", "model"), [(24_064 / 1024, "7B"), (97_887 / 1024, "70B"), (48, "32B"), (12, "3B")]
)
def test_the_model_that_fits_grows_with_the_memory(gib: float, model: str) -> None:
    assert model in wording.what_fits(int(gib * 1024))


def test_a_tiny_device_promises_no_model() -> None:
    assert "B model" not in wording.what_fits(4 * 1024)


def test_a_moment_carries_its_zone_for_the_script_and_its_words_for_the_rest() -> None:
    assert units.instant(make.NOON) == (
        '<time datetime="2026-03-01T12:00:00+00:00" data-form="full"'
        ' title="1 Mar 2026, 12:00 UTC">1 Mar 2026, 12:00 UTC</time>'
    )


def test_moments_in_a_sentence_are_marked_and_the_rest_is_escaped() -> None:
    marked = units.with_instants("<b> end by 2026-03-01 12:00 UTC")

    assert marked == (
        '&lt;b&gt; end by <time datetime="2026-03-01T12:00:00+00:00" data-form="full"'
        ' title="1 Mar 2026, 12:00 UTC">1 Mar 2026, 12:00 UTC</time>'
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (make.NOON, "2026-03-01T12:00"),
        ("2026-03-01T13:00+01:00", "2026-03-01T12:00"),
        ("2026-03-01T12:00", "2026-03-01T12:00"),
        ("2026-02-31T12:00", ""),
        ("soon", ""),
        (None, ""),
    ],
)
def test_an_input_shows_what_was_typed_in_utc(value: object, shown: str) -> None:
    assert units.for_input(value) == shown  # type: ignore[arg-type]  # whatever a form holds


def test_an_icon_is_decoration_for_readers() -> None:
    drawn = Template('{% load shell %}{% icon "cpu" %}').render(Context())

    assert 'aria-hidden="true"' in drawn
    assert ".svg#cpu" in drawn


@pytest.mark.parametrize("filter_name", ["memory", "gpu_memory", "storage", "cores"])
def test_every_quantity_is_a_filter(filter_name: str) -> None:
    drawn = Template(f"{{% load units %}}{{{{ 2048|{filter_name} }}}}").render(Context())

    assert drawn[0].isdigit()
