"""Behind TLS: what `manage.py check --deploy` asks for."""

from gpuaas.settings import env
from gpuaas.settings.base import *  # noqa: F403 -- settings inherit by star, as Django's own do

SECURE_SSL_REDIRECT = True
# Probes and Prometheus ask the pod itself, where no TLS ends.
SECURE_REDIRECT_EXEMPT = [r"^healthz(/reconciler)?$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = env.env_int("GPUAAS_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
BASE_URL = env.env_str("GPUAAS_BASE_URL")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
