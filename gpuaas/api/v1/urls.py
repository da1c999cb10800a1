from django.urls import path

from gpuaas.api.v1 import calendar, inventory, planning, pools, reservations, rules, teams, tokens

app_name = "api"
urlpatterns = [
    path("inventory/clusters/", inventory.ClusterList.as_view(), name="clusters"),
    path(
        "inventory/clusters/<slug:name>/file/",
        inventory.ClusterFile.as_view(),
        name="cluster-file",
    ),
    path("inventory/nodes/", inventory.NodeList.as_view(), name="nodes"),
    path("inventory/nodes/<int:number>/", inventory.NodeDetail.as_view(), name="node"),
    path("inventory/devices/", inventory.DeviceList.as_view(), name="devices"),
    path("inventory/devices/<int:number>/", inventory.DeviceDetail.as_view(), name="device"),
    path("inventory/closures/", inventory.ClosureList.as_view(), name="closures"),
    path(
        "inventory/closures/<int:number>/cancel/",
        inventory.ClosureCancel.as_view(),
        name="closure-cancel",
    ),
    path("inventory/import/", inventory.Import.as_view(), name="inventory-import"),
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
    path("pools/<slug:slug>/availability/", calendar.Availability.as_view(), name="availability"),
    path("pools/<slug:slug>/calendar/", calendar.Calendar.as_view(), name="calendar"),
    path("pools/<slug:slug>/rules/", rules.PoolRulesDetail.as_view(), name="pool-rules"),
    path("pools/<slug:slug>/prices/", rules.PriceList.as_view(), name="pool-prices"),
    path("teams/<slug:slug>/limits/", rules.TeamLimits.as_view(), name="team-limits"),
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
        "reservations/<uuid:public_id>/extension/",
        reservations.ReservationExtension.as_view(),
        name="reservation-extension",
    ),
    path(
        "reservations/<uuid:public_id>/extend/",
        reservations.ReservationExtend.as_view(),
        name="reservation-extend",
    ),
    path(
        "reservations/<uuid:public_id>/flag/accept/",
        reservations.ReservationAcceptOffer.as_view(),
        name="reservation-accept-offer",
    ),
    path(
        "reservations/<uuid:public_id>/give-back/",
        reservations.ReservationGiveBack.as_view(),
        name="reservation-give-back",
    ),
    path("teams/", teams.TeamList.as_view(), name="teams"),
    path("teams/<slug:slug>/", teams.TeamDetail.as_view(), name="team"),
    path("teams/<slug:slug>/members/", teams.MemberList.as_view(), name="members"),
    path("teams/<slug:slug>/members/<int:number>/", teams.MemberDetail.as_view(), name="member"),
    path("tokens/", tokens.TokenList.as_view(), name="tokens"),
    path("tokens/<slug:public_id>/", tokens.TokenDetail.as_view(), name="token"),
]
