from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "gpuaas.audit"
    label = "audit"
