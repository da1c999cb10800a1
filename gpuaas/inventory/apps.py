from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "gpuaas.inventory"
    label = "inventory"
