from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "gpuaas.identity"
    label = "identity"
