from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "gpuaas.identity"
    label = "identity"

    def ready(self) -> None:
        from gpuaas.identity import checks  # noqa: F401, PLC0415 -- settings are ready only now
