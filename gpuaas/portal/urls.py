"""Every page of the portal."""

from django.urls import URLPattern, path

from gpuaas.portal.views import booking, home, reservations

app_name = "portal"
urlpatterns: list[URLPattern] = [
    path("", home.home, name="home"),
    path("mine/", home.mine, name="mine"),
    path("book/", booking.book, name="book"),
    path("reservations/", reservations.reservations, name="reservations"),
    path("reservations/<uuid:public_id>/", reservations.reservation, name="reservation"),
    path("reservations/<uuid:public_id>/live/", reservations.live, name="live"),
    path("reservations/<uuid:public_id>/give-back/", reservations.give_back, name="give_back"),
    path("reservations/<uuid:public_id>/cancel/", reservations.cancel, name="cancel"),
]
