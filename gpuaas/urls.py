"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("gpuaas.portal.urls")),
    path("api/v1/", include("gpuaas.api.v1.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
