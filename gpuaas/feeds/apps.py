from django.apps import AppConfig


class FeedsConfig(AppConfig):
    name = "gpuaas.feeds"
    label = "feeds"
