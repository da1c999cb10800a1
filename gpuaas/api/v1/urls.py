from django.urls import path

from gpuaas.api.v1 import planning, pools, reservations, tokens

app_name = "api"
urlpatterns = [
    path("planning/", planning.Planning.as_view(), name="planning"),
    path("planning/example/", planning.Example.as_view(), name="planning-example"),
    path("planning/gpus/", planning.Gpus.as_view(), name="planning-gpus"),
    path("planning/prices/", planning.Prices.as_view(), name="planning-prices"),
    path("planning/scenarios/", planning.ScenarioList.as_view(), name="scenarios"),
    path(
        "planning/scenarios/<uuid:public_id>/",
        planning.ScenarioDetail.as_view(),
        name="scenario",
    ),
    path("pools/", pools.PoolList.as_view(), name="pools"),
    path("pools/<slug:slug>/", pools.PoolDetail.as_view(), name="pool"),
    path("reservations/", reservations.ReservationList.as_view(), name="reservations"),
    path(
        "reservations/<uuid:public_id>/",
        reservations.ReservationDetail.as_view(),
        name="reservation",
    ),
    path(
        "reservations/<uuid:public_id>/cancel/",
        reservations.ReservationCancel.as_view(),
        name="reservation-cancel",
    ),
    path(
        "reservations/<uuid:public_id>/give-back/",
        reservations.ReservationGiveBack.as_view(),
        name="reservation-give-back",
    ),
    path("tokens/", tokens.TokenList.as_view(), name="tokens"),
    path("tokens/<slug:public_id>/", tokens.TokenDetail.as_view(), name="token"),
]
