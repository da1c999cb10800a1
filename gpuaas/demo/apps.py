from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "gpuaas.demo"
    label = "demo"
