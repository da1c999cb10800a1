from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "gpuaas.accounts"
    label = "accounts"
