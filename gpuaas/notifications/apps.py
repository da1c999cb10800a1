from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "gpuaas.notifications"
    label = "notifications"
