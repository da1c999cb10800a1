from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    name = "gpuaas.idempotency"
    label = "idempotency"
