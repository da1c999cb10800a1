"""One machine, loopback only: `make run`."""

from gpuaas.settings.base import *  # noqa: F403 -- settings inherit by star, as Django's own do

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
