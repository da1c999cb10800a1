"""``/api/v1/planning/``: what a million tokens cost, what to buy, own or rent; saved scenarios.

Planning is arithmetic on what the request brings: nothing is written, nothing is read but the
installation's cloud prices.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import TokenScope
from gpuaas.api import inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import LOCATION, described, listed
from gpuaas.api.shapes.planning import (
    CloudPricesOutput,
    ExampleOutput,
    GpuOutput,
    PlanOutput,
)
from gpuaas.api.views import APIView
from tokenomics import documents, selectors, services
from tokenomics.core import report
from tokenomics.core.gpus import GPUS, Gpu
from tokenomics.core.scenario import Scenario
from tokenomics.models import SavedScenario


class DocumentInput(inputs.StrictInput):
    """A scenario, as YAML or as JSON with the same fields: one of the two."""

    yaml = serializers.CharField(
        max_length=documents.LONGEST_TEXT, trim_whitespace=False, required=False
    )
    scenario = serializers.DictField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len({"yaml", "scenario"} & set(attrs)) != 1:
            raise serializers.ValidationError("Give either yaml or scenario.", code="required")
        return attrs


class NewScenarioInput(DocumentInput):
    team = serializers.CharField(max_length=40)


class ChangedScenarioInput(DocumentInput):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 2)


class PricesInput(inputs.StrictInput):
    yaml = serializers.CharField(max_length=documents.LONGEST_TEXT, trim_whitespace=False)


class ScenarioOutput(serializers.Serializer[SavedScenario]):
    id = serializers.UUIDField(source="public_id")
    team = serializers.CharField(source="team.slug")
    name = serializers.CharField()
    version = serializers.IntegerField()
    created_by = serializers.CharField(source="created_by.username")
    created_at = serializers.DateTimeField()
    updated_by = serializers.CharField(source="updated_by.username")
    updated_at = serializers.DateTimeField()


class SavedScenarioOutput(ScenarioOutput):
    """A saved scenario with its document, as YAML and as JSON."""

    scenario = serializers.DictField()
    yaml = serializers.CharField()


class Planning(APIView):
    """Every answer to one scenario."""

    takes_scope = TokenScope.READ  # it works something out, and keeps nothing

    @described("Answer a scenario", takes=DocumentInput, answers=PlanOutput, refuses=(422,))
    def post(self, request: Request) -> Response:
        """Compute; nothing is kept.  ``scenario`` and ``yaml`` come back for forms and files."""
        scenario = _scenario_in(_read(DocumentInput, request))
        plan = documents.plan_of(scenario, prices=selectors.prices())
        return Response(
            {
                "plan": report.as_json(plan),
                "scenario": documents.json_of(scenario),
                "yaml": documents.yaml_of(scenario),
            }
        )


class Example(APIView):
    """A scenario to begin with."""

    @described("Get a scenario to begin with", answers=ExampleOutput)
    def get(self, request: Request) -> Response:  # noqa: ARG002 -- the same for everybody
        text = documents.example_text()
        scenario = documents.scenario_from(text)
        return Response({"yaml": text, "scenario": documents.json_of(scenario)})


class Gpus(APIView):
    """The GPUs that a scenario may name, and the slices of each."""

    @described("List known GPUs", answers=GpuOutput(many=True))
    def get(self, request: Request) -> Response:  # noqa: ARG002 -- the same for everybody
        return Response([_gpu(each) for each in GPUS.values()])


class Prices(APIView):
    """The cloud prices that count; entering others."""

    @described("See the cloud prices", answers=CloudPricesOutput)
    def get(self, request: Request) -> Response:  # noqa: ARG002 -- the same for everybody
        return Response(_prices())

    @described(
        "Enter cloud prices",
        takes=PricesInput,
        answers=CloudPricesOutput,
        status=201,
        refuses=(422,),
    )
    def post(self, request: Request) -> Response:
        """Enter a new list; the earlier ones stay in the database."""
        data = _read(PricesInput, request)
        services.enter_prices(document=data["yaml"], actor=caller(request), now=timezone.now())
        return Response(_prices(), status=HTTPStatus.CREATED)


class ScenarioList(APIView):
    """The saved scenarios of the teams one sees; saving one."""

    @listed("List saved scenarios", ScenarioOutput)
    def get(self, request: Request) -> Response:
        visible = selectors.scenarios_visible_to(caller(request), now=timezone.now())
        return pages.page_of(visible, request, by=("name", "id"), show=_show)

    @described(
        "Save a scenario",
        takes=NewScenarioInput,
        answers=SavedScenarioOutput,
        status=201,
        refuses=(409, 422),
        parameters=(LOCATION,),
    )
    def post(self, request: Request) -> Response:
        data, person, now = _read(NewScenarioInput, request), caller(request), timezone.now()
        # A team that the caller cannot see and one that does not exist look the same.
        team = accounts.teams_visible_to(person, now=now).filter(slug=data["team"]).first()
        if team is None:
            message = f"There is no team {data['team']!r} that you can use."
            raise serializers.ValidationError({"team": [message]}, code="unknown")
        saved = services.save_scenario(
            team=team, document=_document_in(data), actor=person, now=now
        )
        address = reverse("api:scenario", args=[saved.public_id])
        return Response(
            _whole(saved),
            status=HTTPStatus.CREATED,
            headers={"Location": request.build_absolute_uri(address)},
        )


class ScenarioDetail(APIView):
    """One saved scenario."""

    @described("Look at a saved scenario", answers=SavedScenarioOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(_whole(self._found(request, public_id)))

    @described(
        "Replace a saved scenario",
        takes=ChangedScenarioInput,
        answers=SavedScenarioOutput,
        refuses=(409, 422),
    )
    def put(self, request: Request, public_id: UUID) -> Response:
        """Replace the document; ``version`` is the one it was read at."""
        found, data = self._found(request, public_id), _read(ChangedScenarioInput, request)
        changed = services.change_scenario(
            scenario=found,
            document=_document_in(data),
            version=data["version"],
            actor=caller(request),
            now=timezone.now(),
        )
        return Response(_whole(changed))

    @described("Remove a saved scenario", status=204)
    def delete(self, request: Request, public_id: UUID) -> Response:
        found = self._found(request, public_id)
        services.remove_scenario(scenario=found, actor=caller(request), now=timezone.now())
        return Response(status=HTTPStatus.NO_CONTENT)

    @staticmethod
    def _found(request: Request, public_id: UUID) -> SavedScenario:
        visible = selectors.scenarios_visible_to(caller(request), now=timezone.now())
        return get_object_or_404(visible, public_id=public_id)


def _read(kind: type[inputs.StrictInput], request: Request) -> dict[str, Any]:
    data = kind(data=request.data)
    data.is_valid(raise_exception=True)
    return dict(data.validated_data)


def _scenario_in(data: dict[str, Any]) -> Scenario:
    return documents.scenario_from(data["yaml"] if "yaml" in data else data["scenario"])


def _document_in(data: dict[str, Any]) -> str:
    """Return YAML to keep: as it was written, or made from JSON."""
    written: str | None = data.get("yaml")
    return documents.yaml_of(_scenario_in(data)) if written is None else written


def _show(rows: Iterable[SavedScenario]) -> list[dict[str, Any]]:
    return [dict(ScenarioOutput(row).data) for row in rows]


def _whole(saved: SavedScenario) -> dict[str, Any]:
    scenario = documents.scenario_from(saved.document)
    return {
        **ScenarioOutput(saved).data,
        "scenario": documents.json_of(scenario),
        "yaml": saved.document,
    }


def _prices() -> dict[str, Any]:
    entered = selectors.entered_prices().first()
    prices = selectors.prices()
    return {
        "entered_by": entered.entered_by.username if entered else None,
        "entered_at": entered.entered_at if entered else None,
        "prices": documents.json_of(prices),
        "yaml": documents.yaml_of(prices),
    }


def _gpu(gpu: Gpu) -> dict[str, Any]:
    return {
        "name": gpu.name,
        "title": gpu.title,
        "slices": [
            {
                "name": each.name,
                "memory_gib": each.memory_gib,
                "gpu_equivalents": f"{gpu.weights[each.name]:.6f}",
            }
            for each in gpu.profiles.values()
        ],
    }
