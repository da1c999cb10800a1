"""One machine, loopback only: `make run`."""

from pathlib import Path

from gpuaas.settings import env
from gpuaas.settings.base import *  # noqa: F403 -- settings inherit by star, as Django's own do

# What would be mailed lies in .local/emails, one file each.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = str(Path(env.env_str("GPUAAS_STATE_DIR", str(BASE_DIR / ".local"))) / "emails")  # noqa: F405
# A receiver on the same machine is what one tries first.
WEBHOOK_ALLOW_HTTP = env.env_bool("GPUAAS_WEBHOOK_ALLOW_HTTP", default=True)
