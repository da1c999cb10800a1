"""The test suite.  Its database and broker addresses are set by tests/conftest.py."""

import os

os.environ.setdefault("GPUAAS_SECRET_KEY", "only for tests: not a secret at all, and long enough")
os.environ.setdefault("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/unset")
os.environ.setdefault("CELERY_BROKER_URL", "memory://")

from gpuaas.settings.base import *  # noqa: F403 -- settings inherit by star, as Django's own do

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, for tests only
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# psycopg's pool keeps connections open that would block dropping the test database.
DATABASES["default"]["OPTIONS"].pop("pool")  # noqa: F405
# Tests ask as fast as they can; those of the limit set one.
API_REQUESTS_PER_MINUTE = 0
# Look for static files when asked, not at the start: nothing has been collected here.
WHITENOISE_AUTOREFRESH = True
