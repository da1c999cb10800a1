from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "gpuaas.portal"
    label = "portal"
