"""Every address of the product."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import include, path

# One door: second factors and limits on guessing hold for the admin site as well.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as allauth says

handler429 = "gpuaas.portal.views.too_many.too_many"

# Below /api/ what is not there, and what broke, is said in JSON.
handler404 = "gpuaas.api.fallbacks.not_found"
handler500 = "gpuaas.api.fallbacks.broken"

urlpatterns = [
    path("api/v1/", include("gpuaas.api.v1.urls")),
    path("", include("gpuaas.probes.urls")),
    path("", include("gpuaas.portal.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
if settings.IDP_OIDC_PRIVATE_KEY:
    urlpatterns += [path("", include("allauth.idp.urls"))]
