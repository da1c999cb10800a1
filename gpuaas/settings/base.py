"""Settings common to every environment.  The environment is read through `env` alone."""

from pathlib import Path
from typing import Any, Final

from csp.constants import NONCE, SELF

from gpuaas.settings import env

BASE_DIR: Final = Path(__file__).resolve().parents[2]

SECRET_KEY = env.env_secret("GPUAAS_SECRET_KEY")
# Older keys, separated by spaces or lines: what they signed and sealed stays readable.
SECRET_KEY_FALLBACKS = env.env_secret("GPUAAS_SECRET_KEY_FALLBACKS", "").split()
DEBUG = False
ALLOWED_HOSTS = env.env_list("GPUAAS_ALLOWED_HOSTS")
BASE_URL = env.env_str("GPUAAS_BASE_URL", "http://127.0.0.1:8000")
CSRF_TRUSTED_ORIGINS = [BASE_URL]

# --- our own settings --------------------------------------------------------------------------
# <directory>/<cluster name>.kubeconfig holds a cluster's credentials; the database never does.
KUBECONFIG_DIR = env.env_str("GPUAAS_KUBECONFIG_DIR", "")
# Marks what this installation made in a cluster, so that two installations leave each other alone.
INSTALLATION = env.env_str("GPUAAS_INSTALLATION", "gpuaas")
WORKSPACE_IMAGE = env.env_str("GPUAAS_WORKSPACE_IMAGE", "gpuaas/workspace:latest")
# The proxy before exposed workspaces.
DOOR_IMAGE = env.env_str("GPUAAS_DOOR_IMAGE", "quay.io/oauth2-proxy/oauth2-proxy:v7.15.6")
# The authorities that sessions trust, as PEM; empty: their images' own.
TRUSTED_CA = env.env_secret("GPUAAS_TRUSTED_CA", "")
# The corporate proxy that sessions are told about; empty means none.
HTTP_PROXY = env.env_str("GPUAAS_HTTP_PROXY", "")
HTTPS_PROXY = env.env_str("GPUAAS_HTTPS_PROXY", "")
NO_PROXY = env.env_str("GPUAAS_NO_PROXY", "")
# Prices, budgets and costs are whole minor units of this one (ISO 4217).
CURRENCY = env.env_str("GPUAAS_CURRENCY", "EUR")
# Whose midnight a month of costs begins and ends at, and who pays what nobody else does.
FINANCE_TIME_ZONE = env.env_str("GPUAAS_FINANCE_TIME_ZONE", "UTC")
PLATFORM_COST_CENTRE = env.env_str("GPUAAS_PLATFORM_COST_CENTRE", "PLATFORM")
# Webhooks of users: only https, only to the world outside, unless these say otherwise.
WEBHOOK_ALLOW_HTTP = env.env_bool("GPUAAS_WEBHOOK_ALLOW_HTTP", default=False)
WEBHOOK_ALLOW_PRIVATE = env.env_bool("GPUAAS_WEBHOOK_ALLOW_PRIVATE", default=False)
# 0: for good.
KEEP_AUDIT_DAYS = env.env_int("GPUAAS_KEEP_AUDIT_DAYS", 0)
KEEP_NOTICES_DAYS = env.env_int("GPUAAS_KEEP_NOTICES_DAYS", 90)

# How long an API token may live at most.
API_TOKEN_MAX_DAYS = env.env_int("GPUAAS_API_TOKEN_MAX_DAYS", 365)

# How often one person asks the REST API a minute; 0 is no limit.
API_REQUESTS_PER_MINUTE = env.env_int("GPUAAS_API_REQUESTS_PER_MINUTE", 600)

# --- Django --------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "gpuaas.apps.AdminSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.idp.oidc",
    "csp",
    "django_htmx",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "gpuaas.apps.ProjectConfig",
    "gpuaas.accounts",
    "gpuaas.audit",
    "gpuaas.notifications",
    "gpuaas.identity",
    "gpuaas.inventory",
    "gpuaas.portal",
    "gpuaas.demo",
    "gpuaas.feeds",
    "gpuaas.idempotency",
    "reservations",
    "sessions",
    "tokenomics",
    "reconciler",
]
MIDDLEWARE = [
    "gpuaas.core.logs.NameRequests",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "gpuaas.identity.locale.InTheirLanguage",
    "gpuaas.identity.middleware.RequireSecondFactor",
]
ROOT_URLCONF = "gpuaas.urls"
WSGI_APPLICATION = "gpuaas.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Connections come from psycopg's pool, one per process: opening one per request costs a factor of
# five to ten.
DATABASES: dict[str, dict[str, Any]] = {"default": env.env_database("DATABASE_URL")}
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 0,
    "max_size": env.env_int("GPUAAS_DATABASE_POOL_SIZE", 8),
    "timeout": 10,
}
# A pooler by transaction may hand out another session in the middle of a cursor's life.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = env.env_bool(
    "GPUAAS_DATABASE_POOLED_BY_TRANSACTION", default=False
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people --------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "gpuaas.identity.signed_in.PersonBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None  # guardian: nobody is granted anything before login
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "portal:home"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "gpuaas.identity.adapters.ClosedSignupAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_FORMS = {
    "reset_password": "gpuaas.identity.forms.ResetOwnPasswordForm",
    "set_password": "gpuaas.identity.forms.NoFirstPasswordForm",
}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
MFA_ADAPTER = "gpuaas.identity.adapters.SealedSecretsAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses come from administrators and the directory
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = BASE_URL.startswith("http://")
MFA_PASSKEY_LOGIN_ENABLED = True
# Who must have a second factor: none, staff (managers, organisation-wide roles), all.
REQUIRE_MFA = env.env_choice("GPUAAS_REQUIRE_MFA", "none", {"none", "staff", "all"})

# --- the company's identity provider; without an issuer there is none ----------------------------
OIDC_ISSUER = env.env_str("GPUAAS_OIDC_ISSUER", "").rstrip("/")
OIDC_ID = env.env_str("GPUAAS_OIDC_ID", "sso")
OIDC_NAME = env.env_str("GPUAAS_OIDC_NAME", "your company account")
OIDC_CLIENT_ID = env.env_str("GPUAAS_OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = env.env_secret("GPUAAS_OIDC_CLIENT_SECRET", "")
OIDC_SCOPES = env.env_list("GPUAAS_OIDC_SCOPES", "openid,profile,email,groups,offline_access")
OIDC_GROUPS_CLAIM = env.env_str("GPUAAS_OIDC_GROUPS_CLAIM", "groups")
# Besides the groups that give a role: who is in one of these may enter.
OIDC_ALLOWED_GROUPS = env.env_list("GPUAAS_OIDC_ALLOWED_GROUPS")
OIDC_LINK_VERIFIED_EMAIL = env.env_bool("GPUAAS_OIDC_LINK_VERIFIED_EMAIL", default=False)
OIDC_RECHECK_INTERVAL_SECONDS = env.env_int("GPUAAS_OIDC_RECHECK_INTERVAL_SECONDS", 900)
OIDC_GRACE_SECONDS = env.env_int("GPUAAS_OIDC_GRACE_SECONDS", 24 * 3600)
SOCIALACCOUNT_ADAPTER = "gpuaas.identity.adapters.DirectoryAdapter"
SOCIALACCOUNT_STORE_TOKENS = False  # the one we need is sealed: gpuaas/identity/services.py
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = "oidc"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "SCOPE": OIDC_SCOPES,
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": OIDC_ID,
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_ISSUER},
            }
        ]
        if OIDC_ISSUER
        else [],
    }
}

# --- being an identity provider ourselves; without a key we are none ----------------------------
IDP_OIDC_ADAPTER = "gpuaas.portal.doors.DoorsAdapter"
# All our clients prove themselves by a secret.  A page's requests renew a login side by side: with
# rotation the second of two would be a theft, and its person logged out.
IDP_OIDC_ROTATE_REFRESH_TOKEN = False
IDP_OIDC_PRIVATE_KEY = env.env_secret("GPUAAS_IDP_PRIVATE_KEY", "")
# Where browsers may be sent back to after a login here: the other products' origins.
IDP_CLIENT_ORIGINS = env.env_list("GPUAAS_IDP_CLIENT_ORIGINS")

# --- who is at the other end: behind proxies their address is in a header ------------------------
ALLAUTH_TRUSTED_PROXY_COUNT = env.env_int("GPUAAS_TRUSTED_PROXY_COUNT", 0)
ALLAUTH_TRUSTED_CLIENT_IP_HEADER = env.env_str("GPUAAS_CLIENT_IP_HEADER", "") or None

# --- language, time, files ----------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]  # each in its own words
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = env.env_str("GPUAAS_STATIC_ROOT", str(BASE_DIR / "static"))
STATICFILES_DIRS = [BASE_DIR / "gpuaas" / "portal" / "assets"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

# --- what processes share for a while: the counts of rate limits, codes of a login under way -----
# The broker's server unless another one is named.  In a process's own memory (no Redis at all)
# every process would count for itself, and forget at its end.
CELERY_BROKER_URL = env.env_secret("CELERY_BROKER_URL")
CACHE_URL = env.env_secret(
    "GPUAAS_CACHE_URL", CELERY_BROKER_URL if CELERY_BROKER_URL.startswith("redis") else ""
)
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": f"{INSTALLATION}-cache",
    }
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- e-mail ---------------------------------------------------------------------------------------
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = env.env_str("GPUAAS_EMAIL_HOST", "localhost")
EMAIL_PORT = env.env_int("GPUAAS_EMAIL_PORT", 25)
EMAIL_HOST_USER = env.env_str("GPUAAS_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = env.env_secret("GPUAAS_EMAIL_PASSWORD", "")
EMAIL_USE_TLS = env.env_bool("GPUAAS_EMAIL_USE_STARTTLS", default=False)
EMAIL_USE_SSL = env.env_bool("GPUAAS_EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.env_str("GPUAAS_EMAIL_FROM", "GPUaaS <gpuaas@localhost>")

# --- browser security ---------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "frame-ancestors": ["'none'"],
        # Chromium holds the redirects after a form to this as well.
        "form-action": [SELF, *env.origin_of(OIDC_ISSUER), *IDP_CLIENT_ORIGINS],
        "base-uri": [SELF],
        "object-src": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_ENGINE = "gpuaas.identity.signed_in"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# --- REST API -----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "gpuaas.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "gpuaas.api.limits.WithinScope",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["gpuaas.api.limits.PerMinute"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "gpuaas.api.negotiation.FirstUnlessAsked",
    "DEFAULT_PARSER_CLASSES": ["gpuaas.api.parsers.StrictJSONParser"],
    "EXCEPTION_HANDLER": "gpuaas.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "gpuaas.api.openapi.Operation",
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "GPUaaS",
    "VERSION": "1",
    "DESCRIPTION": "Book GPU capacity on a calendar, and get a workspace for that window. Instants"
    " go in with an offset and come out in UTC; windows are half-open; the unit is in the name of"
    " every number.",
    "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "AUTHENTICATION_WHITELIST": ["gpuaas.api.authentication.TokenAuthentication"],
    "SORT_OPERATION_PARAMETERS": False,
    "GET_LIB_DOC_EXCLUDES": "gpuaas.api.openapi.undescribed",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "gpuaas.api.openapi.finish",
    ],
}

# --- Celery ---------------------------------------------------------------------------------------
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"reconciler.*": {"queue": "reconciler"}}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
# A task of a worker that died comes back after about 15 s instead of the 100 s of kombu's defaults.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_keepalive": True,
}
RECONCILE_INTERVAL_SECONDS = env.env_int("GPUAAS_RECONCILE_INTERVAL_SECONDS", 30)
# Without it there is nothing at /metrics.
METRICS_TOKEN = env.env_secret("GPUAAS_METRICS_TOKEN", "")
# How many sessions of a cluster are worked on at once.
RECONCILE_THREADS = env.env_int("GPUAAS_RECONCILE_THREADS", 8)
# A volume that a session left Released is deleted so many days after it; -1: never, only told.
RELEASED_VOLUMES_DAYS = env.env_int("GPUAAS_RELEASED_VOLUMES_DAYS", -1)
# What may be taken off objects that keep a namespace Terminating; nobody else waits for these.
RELEASABLE_FINALIZERS = env.env_list("GPUAAS_RELEASABLE_FINALIZERS")
COLLECT_GARBAGE_INTERVAL_SECONDS = env.env_int("GPUAAS_COLLECT_GARBAGE_INTERVAL_SECONDS", 300)
DELIVER_INTERVAL_SECONDS = env.env_int("GPUAAS_DELIVER_INTERVAL_SECONDS", 15)
# Named, not imported: the schedule must not pull the reconciler into the web tier.  A tick that
# found no worker expires before the next one, so ticks never pile up.
CELERY_BEAT_SCHEDULE = {
    "forget_keys": {
        "task": "idempotency.forget",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "forget_tokens": {
        "task": "accounts.forget_tokens",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "log_audit_head": {
        "task": "audit.log_head",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "forget_audit_events": {
        "task": "audit.forget",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "drop_expired_grants": {
        "task": "identity.drop_expired_grants",
        "schedule": 600,
        "options": {"expires": 600},
    },
    "follow_directory": {
        "task": "identity.follow_directory",
        "schedule": OIDC_RECHECK_INTERVAL_SECONDS,
        "options": {"expires": OIDC_RECHECK_INTERVAL_SECONDS},
    },
    "reconcile": {
        "task": "reconciler.reconcile",
        "schedule": RECONCILE_INTERVAL_SECONDS,
        "options": {"expires": RECONCILE_INTERVAL_SECONDS},
    },
    # What is further apart than 150 s counts as a gap: no setting.
    "read_meters": {
        "task": "reconciler.read_meters",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "follow_past": {
        "task": "tokenomics.follow",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "calculate_costs": {
        "task": "tokenomics.calculate",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "collect_garbage": {
        "task": "reconciler.collect_garbage",
        "schedule": COLLECT_GARBAGE_INTERVAL_SECONDS,
        "options": {"expires": COLLECT_GARBAGE_INTERVAL_SECONDS},
    },
    # Somebody watches a progress bar meanwhile: no setting.
    "write_exports": {
        "task": "tokenomics.write_exports",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "deliver_notices": {
        "task": "notifications.deliver",
        "schedule": DELIVER_INTERVAL_SECONDS,
        "options": {"expires": DELIVER_INTERVAL_SECONDS},
    },
    "tend": {
        "task": "reconciler.tend",
        "schedule": RECONCILE_INTERVAL_SECONDS,
        "options": {"expires": RECONCILE_INTERVAL_SECONDS},
    },
    "heal": {
        "task": "reconciler.heal",
        "schedule": RECONCILE_INTERVAL_SECONDS,
        "options": {"expires": RECONCILE_INTERVAL_SECONDS},
    },
}

# --- logging: constant messages, data in `extra`, one JSON object a line ------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "gpuaas.core.logs.json_formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.env_str("GPUAAS_LOG_LEVEL", "INFO")},
    "loggers": {"django.server": {"handlers": ["stderr"], "propagate": False}},
}
