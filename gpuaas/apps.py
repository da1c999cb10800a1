from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class AdminSiteConfig(AdminConfig):
    """Django's admin site behind a door of our own."""

    default_site = "gpuaas.accounts.site.ManagersSite"


class ProjectConfig(AppConfig):
    """The project itself, so that its system checks have a place to be registered from."""

    name = "gpuaas"

    def ready(self) -> None:
        from gpuaas import checks  # noqa: F401, PLC0415 -- models are ready only now
