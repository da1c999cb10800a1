"""Every page of the portal."""

from django.urls import URLPattern, path

from gpuaas.portal.views import (
    booking,
    calendar_links,
    hardware,
    home,
    members,
    notices,
    planning,
    preferences,
    reservations,
    teams,
)

app_name = "portal"
urlpatterns: list[URLPattern] = [
    path("", home.home, name="home"),
    path("mine/", home.mine, name="mine"),
    path("calendar/<slug:secret>.ics", calendar_links.calendar, name="calendar"),
    path("calendar-links/", calendar_links.links, name="calendar_links"),
    path(
        "calendar-links/<int:number>/revoke/",
        calendar_links.revoke_link,
        name="revoke_link",
    ),
    path("book/", booking.book, name="book"),
    path("inventory/", hardware.hardware, name="hardware"),
    path("inventory/nodes/<int:number>/", hardware.node, name="node"),
    path("inventory/devices/<int:number>/state/", hardware.device_state, name="device_state"),
    path("inventory/closures/new/", hardware.close, name="close"),
    path("inventory/closures/<int:number>/cancel/", hardware.open_again, name="open_again"),
    path("inventory/import/", hardware.bring_in, name="import"),
    path("notices/", notices.notices, name="notices"),
    path("notices/bell/", notices.bell, name="bell"),
    path("notices/read/", notices.read_all, name="read_all"),
    path("notices/<int:number>/read/", notices.read, name="read"),
    path("notices/preferences/", preferences.preferences, name="preferences"),
    path("notices/webhook/", preferences.webhook, name="webhook"),
    path("notices/webhook/<slug:team>/", preferences.webhook, name="team_webhook"),
    path("planning/", planning.planning, name="planning"),
    path("planning/answers/", planning.answers, name="planning_answers"),
    path("planning/file/", planning.file, name="planning_file"),
    path("planning/scenarios/", planning.keep, name="planning_save"),
    path("planning/scenarios/<uuid:public_id>/", planning.change, name="planning_change"),
    path("planning/scenarios/<uuid:public_id>/remove/", planning.remove, name="planning_remove"),
    path("reservations/", reservations.reservations, name="reservations"),
    path("reservations/<uuid:public_id>/", reservations.reservation, name="reservation"),
    path("reservations/<uuid:public_id>/live/", reservations.live, name="live"),
    path("reservations/<uuid:public_id>/give-back/", reservations.give_back, name="give_back"),
    path(
        "reservations/<uuid:public_id>/open/",
        reservations.open_workspace,
        name="open_workspace",
    ),
    path(
        "reservations/<uuid:public_id>/accept-offer/",
        reservations.accept_offer,
        name="accept_offer",
    ),
    path("reservations/<uuid:public_id>/cancel/", reservations.cancel, name="cancel"),
    path("teams/", teams.teams, name="teams"),
    path("teams/<slug:slug>/", teams.team, name="team"),
    path("teams/<slug:slug>/members/", members.add, name="member_add"),
    path("teams/<slug:slug>/members/<int:number>/", members.change, name="member"),
    path("teams/<slug:slug>/members/<int:number>/remove/", members.remove, name="member_remove"),
]
