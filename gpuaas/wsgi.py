"""The web tier's entry."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gpuaas.settings.prod")
application = get_wsgi_application()

# What is loaded here is never garbage.  Looked through again and again, it stops a request for 100
# ms every dozen of long lists; and, forked, its pages would be copied.
get_resolver().url_patterns  # noqa: B018 -- the views are imported with it
gc.collect()
gc.freeze()
