"""The product's addresses with those of an OpenID provider: `gpuaas.urls` decides when imported."""

from django.urls import include, path

from gpuaas import urls
from gpuaas.urls import handler404, handler429, handler500

__all__ = ["handler404", "handler429", "handler500", "urlpatterns"]

urlpatterns = [*urls.urlpatterns, path("", include("allauth.idp.urls"))]
