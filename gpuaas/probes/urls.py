"""Addresses for probes; short, because they are written into manifests."""

from django.urls import path

from gpuaas.probes import views

app_name = "probes"
urlpatterns = [
    path("healthz", views.alive, name="alive"),
    path("readyz", views.ready, name="ready"),
    path("healthz/reconciler", views.reconciler, name="reconciler"),
    path("metrics", views.metrics, name="metrics"),
]
